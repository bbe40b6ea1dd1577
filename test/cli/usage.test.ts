import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { meant, readArguments } from '../../src/cli/arguments.ts'
import { command } from '../../src/cli/command.ts'
import { commands } from '../../src/cli/commands.ts'
import { helpOf, helpOfAll } from '../../src/cli/help.ts'
import { duration, showProgress } from '../../src/cli/progress.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const tried = command({
  name: 'try',
  summary: 'tries',
  operands: ['FILE', '[MORE]'],
  options: { into: { value: 'TOPIC', about: 'where to' }, fast: { about: 'at once' } },
  about: 'It is tried.',
  examples: [],
  run: async () => 0,
})

describe('the arguments of a command', () => {
  it.each([
    [['a'], {}, ['a']],
    [['-', 'b', '--fast'], { fast: true }, ['-', 'b']],
    [['--into', 'x', 'a'], { into: 'x' }, ['a']],
    [['--into=-x', '--', '--fast'], { into: '-x' }, ['--fast']],
  ])('%j are read', (args, options, operands) => {
    expect(readArguments(tried, args)).toEqual({ help: false, options, operands })
  })

  it('need not be whole to be asked for help', () => {
    expect(readArguments(tried, ['-h']).help).toBe(true)
    expect(readArguments(tried, ['--help', '--fast']).help).toBe(true)
  })

  it.each([
    [[], 'try needs FILE'],
    [['a', 'b', 'c'], 'try does not take "c"'],
    [['a', '--fsat'], 'try has no option --fsat, did you mean --fast?'],
    [['a', '--in', 'x'], 'try has no option --in, did you mean --into?'],
    [['a', '--constructor'], 'try has no option --constructor; see'],
    [['a', '-x'], 'try has no option -x'],
    [['a', '--into'], '--into needs a value: --into TOPIC'],
    [['a', '--into', '--fast'], '--into needs a value: --into TOPIC'],
    [['a', '--fast=1'], '--fast takes no value, got "1"'],
    [['a', '--fast', '--fast'], '--fast is given twice'],
  ])('%j are refused, with what is expected and where to read on', (args, message) => {
    expect(() => readArguments(tried, args)).toThrow(message)
    expect(() => readArguments(tried, args)).toThrow(/superinsight-sync help try/)
  })

  it.each([
    ['serv', ', did you mean serve?'],
    ['repaly', ', did you mean replay?'],
    ['r', ', did you mean replay?'],
    ['frobnicate', ''],
    ['', ''],
  ])('a word such as "%s" is held against those there are', (given, asked) => {
    expect(
      meant(
        given,
        commands.map(({ name }) => name),
      ),
    ).toBe(asked)
  })
})

it('is run by npx from the checkout, and says nothing but what it was asked', () => {
  const options = { cwd: ROOT, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'superinsight-sync', 'verfy'], options)
  const message = 'superinsight-sync: "verfy" is no command, did you mean verify?; see superinsight-sync --help\n'
  expect([status, stdout, stderr]).toEqual([2, '', message])
})

describe('help', () => {
  it('has every command once, in one line', () => {
    const lines = helpOfAll(commands).split('\n')
    for (const { name, summary } of commands) {
      expect(lines.filter(line => line.startsWith(`  ${name} `) && line.endsWith(summary))).toHaveLength(1)
    }
  })

  it.each(commands.map(each => [each.name, each] as const))(
    'of %s has its options, and examples that are as it wants them',
    (name, each) => {
      const help = helpOf(each)
      for (const [option, { value, about }] of Object.entries(each.options)) {
        expect(help).toMatch(new RegExp(`^  --${option}${value === undefined ? '' : ` ${value}`} `, 'm'))
        expect(help).toContain(about)
      }
      expect(each.examples.length).toBeGreaterThan(0)
      for (const { line } of each.examples) {
        expect(help).toContain(line)
        const [, words] = new RegExp(`superinsight-sync ${name} ?([^|>)]*)`).exec(line)!
        const args = words!
          .split(' ')
          .filter(Boolean)
          .map(word => word.replace(/^"(.*)"$/, '$1'))
        expect(() => readArguments(each, args)).not.toThrow()
      }
    },
  )
})

describe('progress', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is a bar on a terminal, drawn over itself and taken away at the end', () => {
    const written: string[] = []
    let part = 0
    const screen = { isTTY: true, columns: 60, write: (text: string) => void written.push(text) }
    const progress = showProgress(
      () => ({ text: `${part * 100} rows of many words that no such line has room for`, part }),
      screen,
    )
    for (part = 0.25; part < 1; part += 0.25) vi.advanceTimersByTime(200)
    progress.stop()
    vi.advanceTimersByTime(1000)
    expect(written.filter(text => text.startsWith('['))).toHaveLength(3)
    expect(written[0]).toMatch(/^\[######\.{18}\] 25 % {2}25 rows/)
    expect(written[0]).toHaveLength(59)
    expect(written.at(-1)).toBe('\r\x1b[K')
  })

  it('is a plain line now and then elsewhere, and says how long it will take', () => {
    const written: string[] = []
    let part = 0.1
    const progress = showProgress(() => ({ text: 'some', part }), { write: text => written.push(text) })
    vi.advanceTimersByTime(5000)
    part = 0.2
    vi.advanceTimersByTime(5000)
    part = 0.01
    vi.advanceTimersByTime(5000)
    progress.stop()
    expect(written).toEqual(['10 %  some\n', '20 %  some, 40 s left\n', '1 %  some\n'])
  })

  it.each([
    [0.4, '0 s'],
    [59.6, '1 min 00 s'],
    [3725, '1 h 02 min'],
  ])('takes %d s to be %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })
})
