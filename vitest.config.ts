import { defineConfig } from 'vitest/config'

export default defineConfig({
  // As Node itself resolves: else the tests have another copy of graphql than the packages that use it, which it refuses.
  ssr: { resolve: { conditions: ['node', 'module-sync'] } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/kit/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
})
