import { cursorOfVersion, readAfter, type Version, versionsPage } from '../versions.ts'
import { connectionOf, connectionTypes, PAGE_ARGS, type PageArgs, readPage } from './connections.ts'
import type { Context } from './context.ts'
import { JsonText } from './json.ts'
import { renamed } from './moments.ts'
import { originSource, type RecordSource } from './records.ts'

export const versionTypes = `
  extend type Record {
    """Its versions that are kept, the oldest first, whatever the moment that it is asked for."""
    history(${PAGE_ARGS}): VersionConnection!
  }
  """What a record was after one of its changes."""
  type Version {
    """Counts from 1, one more with each change."""
    version: Int!
    """create, update or delete; null when that is not known any more."""
    operation: String
    """What it held; null: it was deleted."""
    data: JSON
    """When it became so."""
    updatedAt: DateTime!
    """The record that it was made of; null: it was pushed."""
    origin: Origin
    """A place that includes what made it so: give it as asOf."""
    position: String!
  }
  ${connectionTypes('Version', 'versions', '"""The earliest version that is kept; null: all of them are."""\n earliest: EarliestVersion')}
  """Where what is kept begins."""
  type EarliestVersion {
    """Its number."""
    version: Int!
    """Its place."""
    position: String!
  }`

function versionSource({ row, operation, position }: Version) {
  const { version, updated_at: updatedAt } = row
  const data = row.deleted === 1 ? null : new JsonText(row.data as string)
  return { version, operation, position, updatedAt, data, origin: originSource(row) }
}

export const versionResolvers = {
  Record: {
    async history({ dataset, id }: RecordSource, args: PageArgs, { asked }: Context) {
      const { services } = asked.request
      const page = readPage(args)
      const limit = Math.max(1, page.first)
      try {
        const found = await versionsPage(services, dataset, id, readAfter(page.after), limit)
        const edges = found.versions.slice(0, page.first).map(version => {
          return { cursor: cursorOfVersion(version), node: versionSource(version) }
        })
        const more = found.more || found.versions.length > page.first
        return { ...connectionOf(edges, page, more), earliest: found.earliest }
      } catch (error) {
        throw renamed(error, 'cursor', 'after')
      }
    },
  },
}
