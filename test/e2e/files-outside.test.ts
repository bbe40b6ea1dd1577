/** Files written by tools that are not ours, through the whole service, against the rows that those tools read back. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { importedRows } from '../kit/imports.ts'
import { outsideFiles, outsidePath, outsideRows, sameOf } from '../kit/outside-files.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

it.each(outsideFiles)('$file is read back as its maker reads it', async ({ file, format, options, rows }) => {
  const dataset = file.replaceAll('.', '-')
  const found = await importedRows(service, service, readFileSync(outsidePath(file)), {
    filename: file,
    format,
    options: { dataset, ...options },
  })
  const same = sameOf(format)
  expect(found.map(same)).toEqual(outsideRows(rows).map(same))
})
