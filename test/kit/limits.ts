import { formatLimits, readConfig } from '../../src/config.ts'

/** The bounds of reading a file, where nothing is set. */
export const DEFAULT_LIMITS = formatLimits(readConfig({}))
