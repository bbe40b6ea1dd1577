/** The way to a value within a configuration: names of members and indexes, from the outside in. */
export type SecretPath = readonly (string | number)[]
