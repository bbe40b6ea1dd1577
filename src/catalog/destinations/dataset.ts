import { z } from 'zod'

/** A destination without a url: the data set that has the table's name. The log brings the rows there by itself. */
export const datasetDestination = z
  .strictObject({
    type: z.literal('database'),
    table: z.string().min(1).max(200),
    mode: z
      .enum(['append', 'insert_only', 'upsert'], {
        error: 'expected append, insert_only or upsert; the others need a url',
      })
      .optional(),
    key_columns: z.array(z.string().min(1).max(500)).min(1).max(50).optional(),
    on_delete: z.literal('ignore', { error: 'soft and hard deletes need a destination with a url' }).optional(),
  })
  .transform(({ mode, key_columns, ...rest }) => ({
    ...rest,
    key_columns,
    mode: mode ?? (key_columns ? ('upsert' as const) : ('append' as const)),
  }))
  .refine(({ mode, key_columns }) => mode === 'append' || key_columns !== undefined, {
    path: ['key_columns'],
    error: 'upsert and insert_only go by them: name the columns that tell records apart',
  })
