/** Writes a file without an end into a directory of files, until it is killed: `node write-for-ever.ts <directory> <id>`. */
import { openFileDirectory } from '../../src/store/files-directory.ts'

const [directory, id] = process.argv.slice(2) as [string, string]

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield Buffer.alloc(65_536, 'x')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const files = openFileDirectory(directory)
await files.write(`${id}-whole`, [Buffer.from('whole')] as unknown as AsyncIterable<Uint8Array>)
await files.write(id, endless())
