import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there is no browser; undefined when there is one. */
export const browserMissing = existsSync(CHROMIUM)
  ? undefined
  : `${CHROMIUM} is not there: apt-get install chromium, or name another with CHROMIUM.`

/** Starts Chromium, without a window. */
export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import('playwright-core')
  // Chromium does not start its sandbox for root, whom containers run as.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}
