// Formats a report: as text for people, and as JSON for programs.

import { styleText } from 'node:util'
import type { DefaultRing, Report } from './doctor.ts'
import type { Place } from '../system/environment.ts'
import { SetupFlags } from '../flags/index.ts'
import type { Remedies } from '../system/remedies.ts'

const PLACES: Readonly<Record<Place, string>> = {
  shell: 'Shell',
  systemd: 'systemd',
  docker: 'Docker',
  kubernetes: 'Kubernetes',
}

const WIDTH = 100
const LABEL = 14

type Style = Parameters<typeof styleText>[0]
type Paint = (style: Style, text: string) => string

/** Returns the report as JSON. `Infinity`, which stands for no limit, becomes null. */
export function toJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`
}

/** Returns the report as text: the verdict, the facts, the limitations, and what to do. */
export function rendered(report: Report, colours: boolean): string {
  const paint: Paint = colours
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text
  const parts = [
    verdict(report, paint),
    facts(report),
    ...limitationsOf(report, paint),
    ...whatToDo(report, paint),
  ]
  return `${parts.join('\n\n')}\n`
}

function verdict({ available, works, limitations, explanation, failure }: Report, paint: Paint): string {
  if (works) {
    return limitations.length === 0
      ? paint('green', 'io_uring works here.')
      : paint('yellow', 'io_uring works here, with limitations.')
  }
  if (available) {
    return `${paint('red', 'io_uring does not work here.')}\n${wrap(`Rings can be created, but a ring with default options does not work: ${failure?.message}`)}`
  }
  return `${paint('red', 'io_uring is not available here.')}\n${wrap(sentence(explanation ?? 'The reason is unknown'))}`
}

function facts(report: Report): string {
  const { version, kernel, platform, defaultRing: ring, waker, limits, cgroup, operations, missing } = report
  const lines: [string, string][] = [
    ['uring', `${version}, ${platform}`],
    ['runtime', report.runtime],
    ['kernel', kernel],
    ['seccomp', report.seccompFilter ? 'a filter is active' : 'no filter'],
  ]
  if (report.errno !== undefined) lines.push(['errno', `${report.errno}`])
  if (ring !== undefined) {
    lines.push(
      [
        'default ring',
        `${ring.entries} submission and ${ring.cqEntries} completion entries, ${bytes(ring.bytes)}`,
      ],
      ['mode', `${modeOf(ring)}: ${ring.setupFlagNames.join(' ')}`],
    )
  }
  if (waker !== undefined)
    lines.push(['waker', waker === 'uv_poll' ? 'uv_poll, in the event loop' : 'a waiter thread'])
  if (report.available) {
    const names = missing.map(({ name, since }) => `${name} (${since})`).join(', ')
    const total = operations.length + missing.length
    lines.push(
      ['features', report.featureNames.join(' ')],
      ['operations', `${operations.length} of ${total}${names === '' ? '' : `; the kernel lacks ${names}`}`],
    )
  }
  const exempt =
    limits.memlock !== Infinity && !limits.memlockBinds ? ', which does not apply to this process' : ''
  lines.push(
    ['locked memory', `${bytes(limits.memlock)}${exempt}`],
    ['open files', count(limits.files)],
    ['cgroup', `memory ${bytes(cgroup.memory)}, tasks ${count(cgroup.tasks)}`],
  )
  return lines.map(([label, text]) => fact(label, text)).join('\n')
}

/** Rates the mode of the default ring, which depends on the kernel version. */
function modeOf({ setupFlags }: DefaultRing): string {
  if ((setupFlags & SetupFlags.DEFER_TASKRUN) === 0) return 'basic; Linux 6.6 has the best'
  return (setupFlags & SetupFlags.NO_SQARRAY) === 0 ? 'nearly the best; Linux 6.6 has the best' : 'the best'
}

function fact(label: string, text: string): string {
  return `  ${label.padEnd(LABEL)}${wrap(text, LABEL + 2).trimStart()}`
}

function limitationsOf({ limitations }: Report, paint: Paint): string[] {
  if (limitations.length === 0) return []
  return [[paint('bold', 'Limitations'), ...limitations.map((text) => wrap(sentence(text), 2))].join('\n')]
}

function whatToDo({ advice, remedies, place }: Report, paint: Paint): string[] {
  if (advice === undefined && remedies === undefined) return []
  const lines = [paint('bold', 'What to do')]
  if (advice !== undefined) lines.push(wrap(sentence(advice), 2))
  for (const where of inOrder(place)) {
    const snippet = remedies?.[where]
    if (snippet !== undefined) lines.push('', `  ${paint('bold', PLACES[where])}:`, '', indent(snippet, 4))
  }
  return [lines.join('\n')]
}

/** Returns all environments, that of this process first. */
function inOrder(first: Place): (keyof Remedies)[] {
  const places = Object.keys(PLACES) as Place[]
  return [first, ...places.filter((place) => place !== first)]
}

function bytes(value: number): string {
  if (value === Infinity) return 'unlimited'
  const kib = value / 1024
  if (!Number.isInteger(kib)) return `${value} bytes`
  return Number.isInteger(kib / 1024) ? `${kib / 1024} MiB` : `${kib} KiB`
}

function count(value: number): string {
  return value === Infinity ? 'unlimited' : `${value}`
}

function sentence(text: string): string {
  const start = text.startsWith('io_uring') ? text.charAt(0) : text.charAt(0).toUpperCase()
  return `${start}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

function indent(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by))
}

/** Wraps text at {@link WIDTH} columns. */
function wrap(text: string, by = 0): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && by + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return indent([...lines, line].join('\n'), by)
}
