import { describe, expect, it } from 'vitest'
import { readConfig } from '../src/config.ts'
import { DomainError } from '../src/kernel/errors.ts'

const REGISTRY = 'http://127.0.0.1:8081'

function refusal(env: Record<string, string>): string {
  try {
    readConfig(env)
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    return (error as Error).message
  }
  throw new Error('it was taken')
}

describe('the address of a server', () => {
  it.each([
    ['DATABASE_URL', 'postgres://sync:p%40ss%3Aword%2F1@127.0.0.1:5432/postgres'],
    ['DATABASE_URL', 'postgresql://db.example.com/sync?sslmode=require'],
    ['DATABASE_URL', 'postgres:///sync?host=/var/run/postgresql'],
    ['DATABASE_URL', 'postgres://sync:secret@/sync?host=/var/run/postgresql'],
    ['REDIS_URL', 'redis://127.0.0.1:6379'],
    ['REDIS_URL', 'rediss://:secret@redis.example.com/3'],
    ['REDIS_URL', 'redis://[::1]:6379'],
    ['SCHEMA_REGISTRY_URL', 'http://registry:8080/apis/ccompat/v7'],
    ['SCHEMA_REGISTRY_URL', 'https://user:secret@registry.example.com'],
  ])('%s=%s is taken as it is', (name, value) => {
    expect(Object.values(readConfig({ [name]: value }))).toContain(value)
  })

  it('KAFKA_BROKERS is a list of them', () => {
    const env = { KAFKA_BROKERS: 'kafka-1.example.com:9092, 10.0.0.2:9093,', SCHEMA_REGISTRY_URL: REGISTRY }
    expect(readConfig(env).kafkaBrokers).toEqual(['kafka-1.example.com:9092', '10.0.0.2:9093'])
  })

  const database = 'postgres://user:password@host:port/database'
  it.each([
    ['DATABASE_URL', 'mysql://u:s3cret@h/db', 'mysql://***@h/db', database],
    ['DATABASE_URL', 'u:s3cret@h/db', '***@h/db', database],
    ['DATABASE_URL', 'postgres://u:s3cret', 'postgres://u:***', database],
    ['DATABASE_URL', 'postgres:s3cret', 'postgres:***', database],
    ['DATABASE_URL', 'postgres://u:s3#cret@h/db', 'postgres://***@h/db', database],
    ['DATABASE_URL', 'host=h password=s3cret', 'host=h password=***', database],
    ['DATABASE_URL', 'postgre://h/db?password=s3cret&x=1', 'postgre://h/db?password=***&x=1', database],
    ['REDIS_URL', '127.0.0.1:6379', '127.0.0.1:6379', 'redis://'],
    ['REDIS_URL', 'redis://:123456', 'redis://:***', 'redis://'],
    ['REDIS_URL', 'redis://u:s3cret%@h', 'redis://***@h', 'redis://'],
    ['REDIS_URL', 'redis://h:6379/first', 'redis://h:6379/first', 'redis://'],
    ['SCHEMA_REGISTRY_URL', 'ftp://u:s3cret@h', 'ftp://***@h', 'http://'],
    ['SCHEMA_REGISTRY_URL', 'registry', 'registry', 'http://'],
    ['KAFKA_BROKERS', 'kafka', 'kafka', 'host:port'],
    ['KAFKA_BROKERS', 'a:9092,b', 'a:9092,b', 'host:port'],
    ['KAFKA_BROKERS', 'a:0', 'a:0', 'host:port'],
    ['KAFKA_BROKERS', 'a:70000', 'a:70000', 'host:port'],
    ['KAFKA_BROKERS', 'SASL://u:s3cret@a:9092', 'SASL://***@a:9092', 'host:port'],
  ])('%s=%s is refused by name, without its password, saying what is expected', (name, value, shown, expected) => {
    const message = refusal({ SCHEMA_REGISTRY_URL: REGISTRY, [name]: value })
    expect(message).toContain(`${name}=${shown}: expected ${expected}`)
    expect(message).not.toMatch(/s3|cret|123456/)
  })
})
