export function checkSchedule(_given: unknown, _field: string, _now: number): void {}
export function nextRuns(_schedule: unknown, _after: number, _createdAt: number, _count: number): number[] {
  return []
}
