/** The socket under a session, whatever library it is made of. */
export interface Connection {
  /** False when the message was not taken, because too many bytes wait already. */
  send(text: string): boolean
  /** Sends messages in one go until one is not taken; gives back how many were. */
  sendAll(messages: readonly (string | Buffer)[]): number
  /** Bytes that the client has not taken yet. */
  buffered(): number
  listen(topic: string): void
  unlisten(topic: string): void
  close(code: number, reason: string): void
}
