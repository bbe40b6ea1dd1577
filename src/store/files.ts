/**
 * The port to where uploaded files wait until they are imported: by whichever runner takes the job up, so with several
 * processes it is the database that all of them have.
 */
export interface FileStore {
  /**
   * Keeps what `pieces` gives under an id that nobody has used before. Durable when it resolves; when `pieces` fails
   * nothing of it stays.
   */
  write(id: string, pieces: AsyncIterable<Uint8Array>): Promise<void>
  /**
   * Calls `use` with the path of a file on this machine's disk that holds it, good until `use` is done. Rejects with
   * NOT_FOUND for an id that is unknown.
   */
  withFile<Result>(id: string, use: (path: string) => Promise<Result>): Promise<Result>
  remove(id: string): Promise<void>
  stop(): Promise<void>
}
