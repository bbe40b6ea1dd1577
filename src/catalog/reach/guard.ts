import { lookup as dnsLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { DomainError } from '../../kernel/errors.ts'

/** Says which addresses the service may connect to when users name them: ALLOW_PRIVATE_ADDRESSES. */
export interface Guard {
  /**
   * Throws a VALIDATION_ERROR for an address, IPv4 or IPv6 text, that may not be connected to. `host` is what it was
   * called.
   */
  check(address: string, host: string): void
  /** As node:dns `lookup`, for sockets: every address that a name resolves to is checked, at connect time. */
  readonly lookup: LookupFunction
}

/** What is no public unicast address, after the special-purpose registries of IANA (RFC 6890 and its successors). */
const SPECIAL = blockList([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  // Addresses that carry an IPv4 address: 6to4 and Teredo, and what is for documents.
  ...['2002::/16', '2001::/23', '2001:db8::/32', '3fff::/20'],
])
const PUBLIC_IPV6 = blockList(['2000::/3'])
const LOOPBACK_AND_PRIVATE = ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7']

/** Whether a text is what ALLOW_PRIVATE_ADDRESSES may be. */
export function isAllowList(text: string): boolean {
  return text === '' || text === '1' || text.split(',').every(each => cidrOf(each.trim()) !== undefined)
}

/**
 * A guard that lets through what is public, and what `allowed` names: nothing, 1, or a comma list of CIDRs. `resolve` is
 * how names become addresses.
 */
export function createGuard(allowed: string, resolve: typeof dnsLookup = dnsLookup): Guard {
  const named = allowed === '1' ? LOOPBACK_AND_PRIVATE : allowed.split(',').filter(each => each.trim() !== '')
  const listed = blockList(named.map(each => each.trim()))

  function isAllowed(text: string): boolean {
    const address = mappedIpv4(text) ?? withoutZone(text)
    const family = isIP(address)
    // What is no address was not looked up: nobody knows where it leads.
    if (family === 0) return false
    const version = family === 6 ? 'ipv6' : 'ipv4'
    const isPublic = !SPECIAL.check(address, version) && (version === 'ipv4' || PUBLIC_IPV6.check(address, 'ipv6'))
    return isPublic || listed.check(address, version)
  }

  function check(address: string, host: string): void {
    if (isAllowed(address)) return
    const which = address === host ? address : `${host}, which is ${address},`
    throw new DomainError('VALIDATION_ERROR', `${which} is not a public address; ALLOW_PRIVATE_ADDRESSES may allow it`)
  }

  const lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, [])
      try {
        for (const { address } of found) check(address, hostname)
      } catch (refusal) {
        return callback(refusal as Error, [])
      }
      if (options.all) return callback(null, found)
      callback(null, found[0]!.address, found[0]!.family)
    })
  }
  return { check, lookup }
}

/** The IPv4 address within an IPv6 one of ::ffff:0:0/96, in whatever spelling. */
function mappedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined
  const canonical = new URL(`http://[${withoutZone(address)}]`).hostname
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(canonical) ?? []
  if (high === undefined || low === undefined) return undefined
  const bytes = [high, low].flatMap(part => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255])
  return bytes.join('.')
}

/** An IPv6 address may name the interface it is reached by: fe80::1%eth0. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/, '')
}

function cidrOf(text: string): { address: string; prefix: number; version: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0 || address.includes('%')) return undefined
  const most = version === 4 ? 32 : 128
  const prefix = bits === undefined ? most : Number(bits)
  const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && prefix <= most)
  return isPrefix ? { address, prefix, version: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of cidrs) {
    const { address, prefix, version } = cidrOf(text)!
    list.addSubnet(address, prefix, version)
  }
  return list
}
