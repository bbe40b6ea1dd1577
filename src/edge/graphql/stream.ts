import type { ExecutionResult } from 'graphql'
import { openOutlet } from '../history/outlet.ts'
import type { Request } from '../router.ts'
import { shownError } from './errors.ts'
import { stringifyExact } from './json.ts'

const COMPLETE = 'event: complete\ndata:\n\n'

/** One result, as the protocol of graphql-sse has it for connections of their own. */
function nextEvent({ data, errors }: ExecutionResult): string {
  const shown = errors?.map(error => {
    const { extensions, ...rest } = error.toJSON()
    const { http, ...own } = extensions ?? {}
    return { ...rest, extensions: own }
  })
  return `event: next\ndata: ${stringifyExact({ errors: shown, data })}\n\n`
}

/**
 * Answers a request with the results of a subscription, one at a time: the next one is asked for when there is room for
 * it. It ends when its client goes, with the credential, and when the service stops. Throws UNAVAILABLE when so many are
 * connected as may.
 */
export async function streamResults(request: Request, results: AsyncIterable<ExecutionResult>): Promise<void> {
  const iterator = results[Symbol.asyncIterator]()
  const told = (error: unknown) => nextEvent({ errors: [shownError(error, request)] }) + COMPLETE
  try {
    const outlet = openOutlet(request, { follow: () => () => undefined, told })
    outlet.signal.addEventListener('abort', () => void iterator.return?.())
    try {
      for (;;) {
        const step = await iterator.next()
        if (step.done) break
        await outlet.send(nextEvent(step.value))
        if (outlet.signal.aborted) return
      }
      await outlet.send(COMPLETE)
      outlet.end()
    } catch (error) {
      outlet.fail(error)
    }
  } finally {
    await iterator.return?.()
  }
}
