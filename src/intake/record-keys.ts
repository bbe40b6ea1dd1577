/** Writes keys (data set, NUL, id) into one buffer again and again; the data set's part is written when it changes. */
export function keyWriter(): { write(dataset: string, id: string): Buffer; length(): number } {
  const buffer = Buffer.alloc(2048)
  let dataset = ''
  let prefix = 0
  let length = 0
  return {
    write(newDataset, id) {
      if (newDataset !== dataset) {
        dataset = newDataset
        prefix = buffer.write(`${dataset}\0`)
      }
      length = prefix + buffer.write(id, prefix, 'utf8')
      return buffer
    },
    length: () => length,
  }
}
