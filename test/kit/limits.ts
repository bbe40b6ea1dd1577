import { readConfig } from '../../src/config.ts'
import { formatLimits } from '../../src/limits.ts'

/** The bounds of reading a file, where nothing is set. */
export const DEFAULT_LIMITS = formatLimits(readConfig({}))
