/** What a bench measured, by the name of the figure. */
export type Figures = Record<string, number>

export interface Bench {
  readonly name: string
  readonly about: string
  run(options: Record<string, string | undefined>): Promise<Figures>
}
