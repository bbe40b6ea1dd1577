import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const cache = fileURLToPath(new URL('../../.tmp/parts', import.meta.url))
const REGISTRY_VERSION = '3.0.9'

/** Kafka's class path and the schema registry's jar, fetched by Maven the first time. Throws when that is impossible. */
export function jars(): { kafkaClassPath: string; registryJar: string } {
  const kafkaClassPath = classPath('kafka-4.1.1-avro-1.12.0', join(here, 'pom.xml'))
  const registry = join(cache, `registry-${REGISTRY_VERSION}`)
  once(registry, dir => {
    const artifact = `io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`
    maven(['dependency:get', `-Dartifact=${artifact}`, '-Dtransitive=false'])
    maven(['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${dir}`])
    execFileSync('tar', ['xzf', join(dir, `apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`), '-C', dir])
  })
  return {
    kafkaClassPath,
    registryJar: join(registry, `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`),
  }
}

/** The class path of what a POM depends on, kept under `name`, which changes with the versions in the POM. */
export function classPath(name: string, pom: string): string {
  const folder = join(cache, name)
  once(folder, dir => maven(['-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${dir}`]))
  return join(folder, '*')
}

/** Fills a folder whole or not at all. */
function once(dir: string, fill: (dir: string) => void): void {
  if (existsSync(dir)) return
  const part = `${dir}.part`
  rmSync(part, { recursive: true, force: true })
  mkdirSync(part, { recursive: true })
  fill(part)
  renameSync(part, dir)
}

function maven(args: string[]): void {
  execFileSync('mvn', ['-q', '-B', ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: here })
}
