import type { Example } from '../format.ts'

/** Made by pyarrow: an int64, a decimal(20, 2), a timestamp without a zone; not compressed. */
const typed =
  'UEFSMRUAFSwVLCwVBBUAFQYVBhwAAAACAAAABAEBAAAAAAAAAAAAAAAAAABAFQAVHhUeLBUEFQAVBhUGHAAAAAIAAAADAQAAAAAA' +
  'AAAAbhUAFRwVHCwVBBUAFQYVBhwAAAACAAAAAwEA8K//gxIGABUEGUw1ABgGc2NoZW1hFQYAFQQlAhgCaWQAFQ4VEhUCGAVwcmlj' +
  'ZSUKFQQVKCxcFQQVKAAAABUEJQIYAmF0JRRMjBIcLAAAAAAAFgQZHBk8JgAcFQQZJQYAGRgCaWQVABYEFlIWUiYISRwVABUAFQIA' +
  'PCkGGSYABAAAACYAHBUOGSUGABkYBXByaWNlFQAWBBZEFkQmWkkcFQAVABUCADwpBhkmAgIAAAAmABwVBBklBgAZGAJhdBUAFgQW' +
  'QhZCJp4BSRwVABUAFQIAPCkGGSYCAgAAABbYARYEJggW2AEAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRk8HAAA' +
  'HAAAHAAAAA4BAABQQVIx'

/** Made by pyarrow: a text and a list of texts, in dictionaries, compressed with snappy. */
const listed =
  'UEFSMRUEFRQVGEwVBBUAEgAACiQBAAAAYQEAAABiFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQVChUOTBUCFQASAAAF' +
  'EAEAAAB4FQAVIBUkLBUGFRAVBhUGHAAAABA8AgAAAAMCAwAAAAMbAAECABUEGVw1ABgGc2NoZW1hFQQAFQwlAhgCaWQlAEwcAAAA' +
  'NQIYBHRhZ3MVAhUGTDwAAAA1BBgEbGlzdBUCABUMJQIYB2VsZW1lbnQlAEwcAAAAFgQZHBksJgAcFQwZNQAGEBkYAmlkFQIWBBZo' +
  'FnAmPCYIKSwVBBUAFQIAFQAVEBUCADwWBBkGGSYABAAAACYAHBUMGTUABhAZOAR0YWdzBGxpc3QHZWxlbWVudBUCFgYWbBZ0JqIB' +
  'JngpLBUEFQAVAgAVABUQFQIAPBYCGSYEAhlGAAICAgAAABbUARYEJggW5AEAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2' +
  'LjAuMRksHAAAHAAAAA4BAABQQVIx'

export const examples: readonly Example[] = [
  {
    name: 'whole numbers and decimals with all their digits, times in UTC',
    input: { base64: typed },
    options: {},
    rows: ['{"id":1,"price":1.10,"at":"2024-02-29T12:00:00Z"}', '{"id":4611686018427387904,"price":null,"at":null}'],
  },
  {
    name: 'lists',
    input: { base64: listed },
    options: {},
    rows: ['{"id":"a","tags":["x",null]}', '{"id":"b","tags":[]}'],
  },
  {
    name: 'a file that is cut off has lost its footer, and no row can be read',
    input: { base64: typed.slice(0, 400) },
    options: {},
    rows: [],
    damage: 'there is no footer at the end',
  },
]
