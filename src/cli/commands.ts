import type { Command } from './command.ts'
import { migrate } from './migrate.ts'
import { push } from './push.ts'
import { rebuild } from './rebuild.ts'
import { replay } from './replay.ts'
import { serve } from './serve.ts'
import { token } from './token.ts'
import { topics } from './topics.ts'
import { verify } from './verify.ts'
import { watch } from './watch.ts'

/** All of them, in the order in which help has them. */
export const commands: readonly Command[] = [
  //
  serve,
  push,
  watch,
  replay,
  topics,
  rebuild,
  verify,
  migrate,
  token,
]
