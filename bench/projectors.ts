import { type Admin, Kafka } from 'kafkajs'
import { CHECKPOINTS } from '../src/log/kafka-checkpoints.ts'
import { until } from '../test/kit/processes.ts'

/** Runs `use` with a client that can look at the brokers' groups. */
async function withAdmin<Result>(brokers: string, use: (admin: Admin) => Promise<Result>): Promise<Result> {
  const admin = new Kafka({ brokers: [brokers], logLevel: 0 }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function groupsOf(admin: Admin): Promise<string[]> {
  const { groups } = await admin.listGroups()
  return groups.map(({ groupId }) => groupId).filter(id => id.startsWith('projector-'))
}

/**
 * Removes what the brokers know of projectors, and what the log's adapter remembers for when brokers forget: the next one
 * tells every change again, as the first one did.
 */
export function forgetProjectors(brokers: string): Promise<void> {
  return withAdmin(brokers, async admin => {
    const hasCheckpoints = async () => (await admin.listTopics()).includes(CHECKPOINTS)
    if (await hasCheckpoints()) await admin.deleteTopics({ topics: [CHECKPOINTS] })
    await until('the checkpoints to be gone', async () => !(await hasCheckpoints()))
    // A group is deleted only once its members have left it, or are missed.
    await until('the group of the projectors to be empty', async () => {
      const ids = await groupsOf(admin)
      if (ids.length > 0) await admin.deleteGroups(ids)
      return ids.length === 0
    })
  })
}

/** Waits until so many projectors have shared out the streams among them. */
export function untilJoined(brokers: string, count: number): Promise<void> {
  return withAdmin(brokers, async admin => {
    await until(`${count} projectors in a group`, async () => {
      const { groups } = await admin.describeGroups(await groupsOf(admin))
      return groups.some(({ state, members }) => state === 'Stable' && members.length === count)
    })
  })
}
