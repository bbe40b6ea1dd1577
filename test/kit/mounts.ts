import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of our own, mounted in a folder. */
export interface Mount {
  readonly dir: string
  unmount(): void
}

const mounted = new Set<Mount>()
process.on('exit', () => {
  for (const mount of mounted) mount.unmount()
})

function mount(...args: string[]): Mount {
  const dir = mkdtempSync(join(tmpdir(), 'sync-mount-'))
  execFileSync('mount', [...args, dir], { stdio: 'pipe' })
  const made: Mount = {
    dir,
    unmount() {
      if (!mounted.delete(made)) return
      execFileSync('umount', [dir], { stdio: 'pipe' })
      rmSync(dir, { recursive: true })
    },
  }
  mounted.add(made)
  return made
}

/** A file system in memory that holds this many bytes and no more. */
export function mountMemory(bytes: number): Mount {
  return mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'sync-tests')
}

/** A disk that can lose its power: an ext4 file system whose disk is a file. */
export interface Disk {
  mount(): Mount
  /**
   * What the power cut leaves: another disk with what had reached this one. What the mounted file system still held in
   * memory is not in it. Nothing may write meanwhile, or the copy would be of more than one moment.
   */
  cut(): Disk
  /** Whether bytes are on the disk itself. */
  holds(bytes: Buffer): boolean
  remove(): void
}

/** Makes an empty disk. It takes no room for what is not written. */
export function makeDisk(megabytes: number): Disk {
  const dir = mkdtempSync(join(tmpdir(), 'sync-disk-'))
  const file = join(dir, 'disk.img')
  const disk = diskAt(dir, file)
  try {
    execFileSync('truncate', ['-s', `${megabytes}M`, file])
    execFileSync('mkfs.ext4', ['-q', '-F', file], { stdio: 'pipe' })
    return disk
  } catch (error) {
    disk.remove()
    throw error
  }
}

function diskAt(dir: string, file: string): Disk {
  return {
    // ext4 writes its journal every 5 s by itself; here only what somebody asked to be on the disk gets there.
    mount: () => mount('-o', 'loop,commit=300', file),
    cut() {
      const copies = mkdtempSync(join(tmpdir(), 'sync-disk-'))
      const copy = join(copies, 'disk.img')
      execFileSync('cp', ['--sparse=always', file, copy])
      return diskAt(copies, copy)
    },
    holds: bytes => readFileSync(file).includes(bytes),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Why disks cannot be made and mounted here; undefined when they can. */
export function whyNoDisks(): string | undefined {
  let disk: Disk | undefined
  try {
    disk = makeDisk(16)
    disk.mount().unmount()
    return undefined
  } catch (error) {
    return `Mounting a file needs root, loop devices and mkfs.ext4: ${(error as Error).message.trim()}`
  } finally {
    disk?.remove()
  }
}
