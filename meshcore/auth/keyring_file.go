package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/nats-io/nkeys"
)

// keyringFormat is the version of the keyring's file that this program writes.
const keyringFormat = 1

// ErrNewer is wrapped by errors about a file that a newer program wrote.
var ErrNewer = errors.New("written by a newer version of mesh30k")

// keyringFile is the keyring on disk: seeds by name.
type keyringFile struct {
	Format  int               `json:"format"`
	Mesh    string            `json:"mesh"`
	Sectors int               `json:"sectors"`
	Seeds   map[string]string `json:"seeds"`
}

// Save writes the keyring to path, atomically, readable by its owner only.
func (k *Keyring) Save(path string) error {
	file := keyringFile{Format: keyringFormat, Mesh: k.mesh, Sectors: len(k.sectors), Seeds: map[string]string{}}
	for _, p := range k.pairs() {
		seed, err := (*p.pair).Seed()
		if err != nil {
			return fmt.Errorf("keyring of mesh %s: key %s has no seed: %w", k.mesh, p.name, err)
		}
		file.Seeds[p.name] = string(seed)
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("keyring of mesh %s: %w", k.mesh, err)
	}
	if err := WriteFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("keyring of mesh %s cannot be saved: %w", k.mesh, err)
	}
	return nil
}

// LoadKeyring reads what [Keyring.Save] wrote. It refuses a file that others
// than its owner may read or write, one of a newer format ([ErrNewer]) and one
// with a key missing, damaged or of the wrong kind.
func LoadKeyring(path string) (*Keyring, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	// The format is read alone first: a newer file may hold anything else.
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return nil, fmt.Errorf("keyring %s is damaged: %w; restore it from a backup: without it the mesh's identities cannot be renewed", path, err)
	}
	if format.Format > keyringFormat {
		return nil, fmt.Errorf("keyring %s: %w (format %d; this program knows up to %d): use that version", path, ErrNewer, format.Format, keyringFormat)
	}
	var file keyringFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("keyring %s is damaged: %w", path, err)
	}
	k, err := file.keyring()
	if err != nil {
		return nil, fmt.Errorf("keyring %s is damaged: %w", path, err)
	}
	return k, nil
}

func (f *keyringFile) keyring() (*Keyring, error) {
	if f.Format != keyringFormat {
		return nil, fmt.Errorf("format %d does not exist", f.Format)
	}
	if err := CheckName("mesh", f.Mesh); err != nil {
		return nil, err
	}
	if f.Sectors < 1 || f.Sectors > MaxSectors {
		return nil, fmt.Errorf("%d sectors: want 1 to %d", f.Sectors, MaxSectors)
	}
	k := &Keyring{mesh: f.Mesh, sectors: make([]nkeys.KeyPair, f.Sectors)}
	for _, p := range k.pairs() {
		pair, err := fromSeed(f.Seeds[p.name], p.prefix)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", p.name, err)
		}
		*p.pair = pair
	}
	return k, nil
}

// fromSeed reads a seed of the kind that prefix tells.
func fromSeed(seed string, want nkeys.PrefixByte) (nkeys.KeyPair, error) {
	if seed == "" {
		return nil, errors.New("the seed is missing")
	}
	kind, _, err := nkeys.DecodeSeed([]byte(seed))
	if err != nil {
		return nil, fmt.Errorf("the seed is damaged: %w", err)
	}
	if kind != want {
		return nil, fmt.Errorf("the seed is of kind %s, want %s", kind, want)
	}
	return nkeys.FromSeed([]byte(seed))
}

// readSecret reads a file that only its owner may read or write.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if loose := info.Mode().Perm() &^ 0o600; loose != 0 {
		return nil, fmt.Errorf("%s holds a secret but has permissions %04o: want 0600; if nobody else has read it, run: chmod 600 %s",
			path, info.Mode().Perm(), quote(path))
	}
	return os.ReadFile(path)
}

// WriteFile replaces path by data, readable by its owner only: either wholly
// or, when the disk is full or the power fails, not at all.
func WriteFile(path string, data []byte) (err error) {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // what went wrong before is what is said
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// quote makes path safe to paste into a shell.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
