import { createServer } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { promisify } from 'node:util'
import { Agent, request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGuard, type Guard, isAllowList } from '../../../src/catalog/reach/guard.ts'
import { DomainError } from '../../../src/kernel/errors.ts'

/** Whether a guard lets an address through. */
function allows(allowed: string, address: string): boolean {
  try {
    createGuard(allowed).check(address, address)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError)
    expect((error as DomainError).code).toBe('VALIDATION_ERROR')
    return false
  }
}

const PUBLIC = ['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.1', '192.167.255.255', '100.63.255.255', '11.0.0.0']
const PUBLIC_6 = ['2606:4700:4700::1111', '2a00:1450:4001::1', '::ffff:8.8.8.8', '2001:4860:4860::8888']
const PRIVATE = ['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1']
const LINK_LOCAL = ['169.254.0.1', '169.254.169.254']
const OTHER = [
  ...['0.0.0.0', '0.1.2.3', '100.64.0.1', '192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1'],
  ...['192.88.99.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
]
const PRIVATE_6 = ['::1', 'fc00::1', 'fd12:3456::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1']
const OTHER_6 = [
  // No address, link-local, site-local, multicast, documents.
  ...['::', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1', 'ff02::1', '2001:db8::1', '3fff::1', '100::1', '5f00::1'],
  // IPv4 addresses in other clothes: compatible, translated, NAT64 (also the local one), 6to4, Teredo, ISATAP.
  ...['::127.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::7f00:1'],
  ...[
    '2002:7f00:1::',
    '2002:7f00:1::1',
    '2001::7f00:1',
    '2001:0:4136:e378:8000:63bf:80ff:fffe',
    'fe80::5efe:127.0.0.1',
  ],
  ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::ffff:0.0.0.0', '::FFFF:169.254.169.254'],
]
const SPELLINGS = [
  '::ffff:7f00:1',
  '::ffff:7f00:0001',
  '0:0:0:0:0:ffff:127.0.0.1',
  '0000:0000:0000:0000:0000:FFFF:7F00:0001',
]

const lookupOf = (guard: Guard) =>
  promisify(guard.lookup) as unknown as (name: string, options: object) => Promise<unknown>

describe('what may be connected to', () => {
  it.each([...PUBLIC, ...PUBLIC_6])('%s, with nothing allowed', address => {
    expect(allows('', address)).toBe(true)
  })

  it.each([...PRIVATE, ...LINK_LOCAL, ...OTHER, ...PRIVATE_6, ...OTHER_6, ...SPELLINGS])(
    'not %s, with nothing allowed',
    address => {
      expect(allows('', address)).toBe(false)
    },
  )

  it.each([...PRIVATE, ...PRIVATE_6, ...SPELLINGS, ...PUBLIC])('%s, with 1', address => {
    expect(allows('1', address)).toBe(true)
  })

  it.each([...LINK_LOCAL, ...OTHER, ...OTHER_6])('not %s, with 1', address => {
    expect(allows('1', address)).toBe(false)
  })

  it('what is no address', () => {
    for (const text of [
      '',
      'localhost',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '[::1]',
      '1.1.1.1.',
      ' 1.1.1.1',
    ])
      expect(allows('1', text), text).toBe(false)
  })

  it.each([
    ['169.254.169.254', '169.254.169.254', '169.254.169.253'],
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.1, 192.168.0.1'],
    ['10.1.2.3/8', '10.255.0.1', '192.168.0.1'],
    [' 127.0.0.1/32 , 192.168.0.0/16 ', '127.0.0.1, 192.168.9.9, ::ffff:127.0.0.1', '127.0.0.2, ::ffff:127.0.0.2, ::1'],
    ['fe80::/10', 'fe80::1, fe80::1%eth0, febf::1', 'fec0::1, 169.254.0.1'],
    ['::ffff:127.0.0.0/104', '127.0.0.1, ::ffff:127.0.0.1', '10.0.0.1'],
    ['::1', '::1, 0:0:0:0:0:0:0:1', '::2, 127.0.0.1'],
    ['0.0.0.0/0', '127.0.0.1, 169.254.169.254', '::1'],
  ])('with %s: %s, and not %s', (allowed, yes, no) => {
    const isPrivate = (address: string) => !allows('', address)
    for (const address of yes.split(', ')) expect(allows(allowed, address), address).toBe(true)
    for (const address of no.split(', ').filter(isPrivate)) expect(allows(allowed, address), address).toBe(false)
    expect(isAllowList(allowed)).toBe(true)
    expect(allows(allowed, '1.1.1.1')).toBe(true)
  })

  it.each([
    'yes',
    '0',
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/9',
    '10.0.0.0/-1',
    '10/8',
    ',',
    '1,',
    'fe80::%eth0/64',
    '10.0.0.0/8;::1',
  ])('ALLOW_PRIVATE_ADDRESSES cannot be %s', text => {
    expect(isAllowList(text)).toBe(false)
  })

  it('may be nothing', () => {
    expect(isAllowList('')).toBe(true)
  })
})

describe('names', () => {
  /** A resolver that gives these addresses, as node:dns does. Names with such addresses need servers that nobody has. */
  const resolver = (...addresses: string[]) =>
    ((_name: string, _options: object, done: (error: null, found: object[]) => void) =>
      done(
        null,
        addresses.map(address => ({ address, family: isIP(address) })),
      )) as never
  const lookUp = (allowed: string, addresses: string[], options: object = { all: true }) =>
    lookupOf(createGuard(allowed, resolver(...addresses)))('a.example', options)

  it('have every address checked', async () => {
    const refusal = /^a\.example, which is 10\.0\.0\.1, is not a public address; ALLOW_PRIVATE_ADDRESSES may allow it$/
    await expect(lookUp('', ['1.1.1.1', '10.0.0.1'])).rejects.toThrow(refusal)
    await expect(lookUp('', ['10.0.0.1', '1.1.1.1'])).rejects.toThrow(refusal)
    await expect(lookUp('', ['1.1.1.1', '10.0.0.1'], {})).rejects.toThrow(refusal)
    await expect(lookUp('', ['1.1.1.1', '::ffff:10.0.0.1'])).rejects.toThrow(DomainError)
    expect(await lookUp('', ['1.1.1.1', '2606:4700::1'])).toEqual([
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ])
    expect(await lookUp('10.0.0.1', ['1.1.1.1', '10.0.0.1'])).toHaveLength(2)
  })

  it.each(['localhost', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '127.0.0.1', '0x7f.1'])(
    '%s is what it resolves to here',
    async name => {
      const lookup = lookupOf(createGuard(''))
      await expect(lookup(name, { all: true })).rejects.toThrow(/is not a public address/)
    },
  )

  it('are checked when a socket connects, and nothing is sent', async () => {
    let connections = 0
    const server = createServer((_, response) => response.end('{}')).on('connection', () => connections++)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const url = `http://localhost:${(server.address() as AddressInfo).port}/`
    const ask = async (allowed: string) => {
      const dispatcher = new Agent({ connect: { lookup: createGuard(allowed).lookup } })
      try {
        return (await request(url, { dispatcher })).statusCode
      } finally {
        await dispatcher.destroy()
      }
    }
    await expect(ask('')).rejects.toThrow(DomainError)
    await expect(ask('10.0.0.0/8')).rejects.toThrow(/^localhost, which is (127\.0\.0\.1|::1), is not a public address/)
    expect(connections).toBe(0)
    expect(await ask('1')).toBe(200)
  })

  it('that nobody knows fail as they do', async () => {
    const lookup = lookupOf(createGuard('1'))
    await expect(lookup('no-such-name.invalid', { all: true })).rejects.toMatchObject({ syscall: 'getaddrinfo' })
  })
})
