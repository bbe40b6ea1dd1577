import { describe, expect, it } from 'vitest'
import { formatOf, formats, recognise } from '../../../src/catalog/formats/index.ts'
import { formatContract } from './contract.ts'

for (const format of formats) formatContract(format, formats)

describe('the list of formats', () => {
  it('has each in a file of its name, where a reading thread finds it', async () => {
    for (const format of formats) {
      const module: Record<string, unknown> = await import(`../../../src/catalog/formats/${format.name}.ts`)
      expect(module[format.name]).toBe(format)
    }
  })

  it('knows each by its name and by the ending of a file', () => {
    for (const format of formats) {
      expect(formatOf(format.name)).toBe(format)
      for (const extension of format.extensions) expect(recognise(`a${extension}`, Buffer.alloc(0))).toBe(format)
    }
    expect(formatOf('xml')).toBeUndefined()
    expect(recognise('photo.jpg', Buffer.from([0xff, 0xd8, 0xff, 0]))).toBeUndefined()
  })

  it('believes the content before the name', () => {
    expect(recognise('rows.json', Buffer.from('a,b\n1,2\n'))?.name).toBe('csv')
    expect(recognise('rows.csv', Buffer.from(' [ {"a":1}]'))?.name).toBe('json')
    expect(recognise('rows.txt', Buffer.from('{"a,b":1}\n{"a,b":2}\n'))?.name).toBe('json')
    expect(recognise('rows', Buffer.from('[id]\tname\n1\tx\n'))?.name).toBe('csv')
  })

  it('has no ending twice', () => {
    const endings = formats.flatMap(({ extensions }) => extensions)
    expect(new Set(endings).size).toBe(endings.length)
  })
})
