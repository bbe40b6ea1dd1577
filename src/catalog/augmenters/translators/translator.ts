/** A server that translates texts. */
export interface Translator {
  /** Which kind of server it was found to be. */
  readonly kind: 'apertium-apy' | 'libretranslate'
  /** Whether it translates from one language into another; both as ISO 639-1 has them, two letters. */
  can(from: string, to: string): boolean
  /**
   * Translates a text. Undefined when the server gives no answer that can be used, however often it is asked; fails with
   * SourceBusy when that was so for many texts in a row, and with the signal's reason when the run is stopped.
   */
  translate(text: string, from: string, to: string): Promise<string | undefined>
  close(): Promise<void>
}

/** How two-letter codes are called where three letters are used (ISO 639-3). */
const LONG: Readonly<Record<string, string>> = {
  an: 'arg',
  ca: 'cat',
  cy: 'cym',
  da: 'dan',
  de: 'deu',
  el: 'ell',
  en: 'eng',
  eo: 'epo',
  es: 'spa',
  eu: 'eus',
  fi: 'fin',
  fr: 'fra',
  gl: 'glg',
  it: 'ita',
  ja: 'jpn',
  ko: 'kor',
  nl: 'nld',
  pl: 'pol',
  pt: 'por',
  ru: 'rus',
  sv: 'swe',
  uk: 'ukr',
  zh: 'zho',
}

/** A language's two-letter code as a server with three-letter codes calls it. */
export function longCode(code: string): string {
  return LONG[code] ?? code
}
