import type { Membership, Stream } from './log.ts'

/** `share` for a log that only this process has: all streams, for good. */
export async function alone(
  streams: readonly Stream[],
  onStreams: (streams: readonly Stream[]) => void,
): Promise<Membership> {
  onStreams(streams)
  return { stop: async () => undefined }
}
