/**
 * Named moments between two halves of something that must survive a crash there. They do nothing until a hook is set;
 * `main.ts` sets one when CRASH_AT names a point, and the fault tests use it to die exactly there.
 */
let hook: ((name: string) => void) | undefined

export function passPoint(name: string): void {
  hook?.(name)
}

export function onPoint(newHook: (name: string) => void): void {
  hook = newHook
}

/** Reads `<point>:<nth time>`, and calls `crash` when that moment comes. */
export function crashAt(spec: string, crash: () => void): void {
  const [name, nth] = spec.split(':')
  let left = Number(nth ?? 1)
  onPoint(passed => {
    if (passed === name && --left === 0) crash()
  })
}
