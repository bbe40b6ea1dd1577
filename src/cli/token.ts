import { fetchToken } from './client.ts'
import { command } from './command.ts'

export const token = command({
  name: 'token',
  summary: 'prints an access token of the first client',
  options: {},
  about: `Asks the running service for a token with all scopes; it is good for TOKEN_SECONDS. Prints the token and nothing else.`,
  examples: [
    {
      about: 'ask the API something',
      line: 'curl -H "Authorization: Bearer $(superinsight-sync token)" http://127.0.0.1:8080/v1/sync/datasets',
    },
  ],
  async run({ config }) {
    console.log(await fetchToken(config))
    return 0
  },
})
