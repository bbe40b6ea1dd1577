/** Signs deliveries as providers' documents say, without any of our code. */
import { createHmac } from 'node:crypto'

export type Headers = Record<string, string>
type Body = string | Buffer

function hmac(key: string | Buffer, ...parts: Body[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Seconds since 1970, as providers write them. */
export function secondsNow(): number {
  return Math.floor(Date.now() / 1000)
}

/** Standard Webhooks 1.0.0: the secret is base64, with or without `whsec_`. */
export function signStandard(secret: string, id: string, time: number | string, body: Body): Headers {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signature = `v1,${hmac(key, `${id}.${time}.`, body).toString('base64')}`
  return { 'webhook-id': id, 'webhook-timestamp': String(time), 'webhook-signature': signature }
}

/** docs.github.com, "Validating webhook deliveries". */
export function signGithub(secret: string, id: string, body: Body): Headers {
  return { 'x-github-delivery': id, 'x-hub-signature-256': `sha256=${hmac(secret, body).toString('hex')}` }
}

/** docs.stripe.com/webhooks, "Verify webhook signatures manually". */
export function signStripe(secrets: string | readonly string[], time: number | string, body: Body): Headers {
  const signatures = [secrets].flat().map(secret => `v1=${hmac(secret, `${time}.`, body).toString('hex')}`)
  return { 'stripe-signature': [`t=${time}`, ...signatures, `v0=${'6'.repeat(64)}`].join(',') }
}

/** docs.slack.dev, "Verifying requests from Slack". */
export function signSlack(secret: string, time: number | string, body: Body): Headers {
  const signature = `v0=${hmac(secret, `v0:${time}:`, body).toString('hex')}`
  return { 'x-slack-request-timestamp': String(time), 'x-slack-signature': signature }
}
