import type { AugmentLimits } from './catalog/augmenters/index.ts'
import type { TranslatorSettings } from './catalog/connectors/connector.ts'
import type { FormatLimits } from './catalog/formats/format.ts'
import type { Config } from './config.ts'

/*
 * What parts of the service are told of the settings.
 */

/** The bounds of what is done with rows. */
export function rowLimits(config: Config) {
  return {
    transformations: config.transformations,
    rowLength: config.lineBytes,
    computeMs: config.computeMs,
    dedupeKeys: config.dedupeKeys,
    schemaLength: config.schemaLength,
    schemasCached: config.schemasCached,
    schemaColumns: config.schemaColumns,
  }
}

/** The bounds of making rows of others. */
export function augmentLimits(config: Config): AugmentLimits {
  const { multiplier, lineBytes, rememberedRows: remembered } = config
  // In UTF-8 a row has at most three bytes for each unit of its text.
  return { multiplier, rowLength: Math.floor(lineBytes / 3), remembered }
}

/** The translator that is named; undefined for none. */
export function translatorOf(config: Config): TranslatorSettings | undefined {
  if (config.translateUrl === undefined) return undefined
  const { translateUrl: url, translateKey: apiKey, translateMs: timeoutMs, translateRetries: retries } = config
  return { url, apiKey, timeoutMs, retries, concurrency: config.translations }
}

/** The bounds of reading an uploaded file. */
export function formatLimits(config: Config): FormatLimits {
  return {
    maxRowBytes: config.lineBytes,
    maxColumns: config.fileColumns,
    maxDepth: config.jsonDepth,
    maxHeldBytes: config.fileHeldBytes,
    maxInflatedBytes: config.fileInflatedBytes,
    maxGrowth: config.fileGrowth,
  }
}
