import type { Connector } from './connector.ts'
import { file } from './file.ts'

/** Every connector there is: a connector a file, a line here. */
export const connectors: readonly Connector[] = [file]

export function connectorOf(type: string): Connector | undefined {
  return connectors.find(connector => connector.type === type)
}
