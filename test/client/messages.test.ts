import { expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type { ConflictDetected, ConflictResolved, Gap, SyncProgress } from '../../client/src/index.ts'
import type { serverMessages } from '../../src/edge/asyncapi/server-messages.ts'

type Payload<Type extends keyof typeof serverMessages> = Readonly<z.infer<(typeof serverMessages)[Type]['payload']>>

// The compiler says so: npm run check.
it('the client has the payloads of the service, by their types', () => {
  expectTypeOf<SyncProgress['payload']>().branded.toEqualTypeOf<Payload<'sync_progress'>>()
  expectTypeOf<ConflictDetected['payload']>().branded.toEqualTypeOf<Payload<'conflict_detected'>>()
  expectTypeOf<ConflictResolved['payload']>().branded.toEqualTypeOf<Payload<'conflict_resolved'>>()
  expectTypeOf<Gap['code'] | 'slow'>().toEqualTypeOf<Payload<'resync_required'>['code']>()
})
