import { augmentation } from './augmentation.ts'
import type { Connector } from './connector.ts'
import { dilution } from './dilution.ts'
import { eventstore } from './eventstore.ts'
import { file } from './file.ts'
import { restApi } from './rest-api/index.ts'

/** Every connector there is: a connector a file, a line here. */
export const connectors: readonly Connector[] = [file, restApi, eventstore, dilution, augmentation]

export function connectorOf(type: string): Connector | undefined {
  return connectors.find(connector => connector.type === type)
}
