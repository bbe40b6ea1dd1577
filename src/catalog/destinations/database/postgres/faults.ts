import type { DatabaseError } from 'pg'
import { DomainError } from '../../../../kernel/errors.ts'
import { SourceBusy } from '../../../connectors/connector.ts'
import { type Column, RowFault, ShapeFault, type Value } from '../connection.ts'
import { wrong } from './address.ts'

/** SQLSTATEs of what may pass: connections, resources, the operator, locks; a server that only reads, as one is that waits. */
const PASSES = /^(08|26|53|57|58|40)|^(42P05|55P03|55006|25006|25P03|25P04)$/
/** What is wrong with a row: its values, what must be true of them, their size, what a trigger says. */
const OF_ROWS = /^(22|23|44|P0|21)|^54000$/
/** Tables, columns, indexes and types that are not what they were. */
const OF_SHAPE = /^(42P01|42703|42704|42P07|42701|42P10|42804|42846|0A000|42883|55000)$/
/** Credentials, names of databases and schemas, permissions. */
const OF_ADDRESS = /^(28|3D|3F)|^42501$/
/** A detail may hold the whole row. */
const MAX_MESSAGE = 500

/** A failure of the client or the server as one that callers know; `shown` is where the database is. */
export function postgresFault(error: unknown, shown: string): Error {
  if (error instanceof DomainError || error instanceof SourceBusy) return error
  if (error instanceof RowFault || error instanceof ShapeFault) return error
  const { code = '', message, severity, column, detail } = error as DatabaseError
  if (!severity) return clientFault(code, message, shown)
  if (PASSES.test(code)) return new SourceBusy(`${shown}: ${message}`)
  if (OF_ROWS.test(code)) {
    const said = (detail ? `${message}: ${detail}` : message).slice(0, MAX_MESSAGE)
    return new RowFault(code.startsWith('22') ? 'INVALID_VALUE' : 'CONSTRAINT_VIOLATION', said, column ?? null)
  }
  if (OF_SHAPE.test(code)) return new ShapeFault(message)
  if (OF_ADDRESS.test(code)) return wrong(`${shown}: ${message}`)
  return new DomainError('VALIDATION_ERROR', `destination: ${shown}: ${message}`, {
    details: [{ field: 'destination', message }],
  })
}

/** What comes from the client and not from the server: a connection that cannot be made, or that broke. */
function clientFault(code: string, message: string, shown: string): Error {
  const said = `${shown}: ${message || code || 'the connection broke'}`
  const isWrong = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_/.test(code) || /^SASL|SSL connection/.test(message)
  return isWrong ? wrong(said) : new SourceBusy(said)
}

/** Which column a refusal of one row is about: the one whose value, or else type, the message names when it is only one. */
export function columnIn(fault: RowFault, columns: readonly Column[], row: readonly Value[]): RowFault {
  if (fault.column !== null) return fault
  const { code, message } = fault
  const given = columns.filter((_, i) => row[i] !== null)
  const byValue = given.filter(column => message.includes(`"${row[columns.indexOf(column)]}"`))
  const found = byValue.length === 1 ? byValue : given.filter(({ sqlType }) => message.includes(shownType(sqlType)))
  return found.length === 1 ? new RowFault(code, message, found[0]!.name) : fault
}

function shownType(sqlType: string): string {
  return sqlType === 'bpchar' ? 'character(' : sqlType
}
