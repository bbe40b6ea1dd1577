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
  /** A file on this machine's disk that holds it, until it is closed. Rejects with NOT_FOUND for an id that is unknown. */
  open(id: string): Promise<OpenFile>
  remove(id: string): Promise<void>
  /** Removes files whose ids are less: ids begin with their time. */
  removeBefore(id: string): Promise<void>
  stop(): Promise<void>
}

export interface OpenFile {
  readonly path: string
  close(): Promise<void>
}
