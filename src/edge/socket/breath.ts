/** The past is worked on for so long … */
const WORK_MS = 8
/** … and then rests for so long: what is new goes through several threads, which may have to wait for a processor. */
const REST_MS = 5

/**
 * Lets others have their turn between two pieces of work on the past: each time those of this event loop, and after a
 * while those of other threads.
 */
export function createBreath(): () => Promise<void> {
  let began = performance.now()
  return async () => {
    if (performance.now() - began < WORK_MS) return new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setTimeout(resolve, REST_MS))
    began = performance.now()
  }
}
