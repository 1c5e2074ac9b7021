package server

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"hawser/auth/provision"
	"hawser/store/tenantdb"
)

// errMaster says that the key file does not belong to the database.
var errMaster = errors.New("the key file is missing or is not the one that this database was made with; restore it from your backup")

// openVault returns the vault of the key in file. A missing file is made when the database has
// never been used with a key, and never otherwise.
func openVault(ctx context.Context, file string, db *tenantdb.DB) (*provision.Vault, error) {
	want, used, err := db.Mark(ctx, tenantdb.CheckMark)
	if err != nil {
		return nil, err
	}
	master, err := readMaster(file)
	if errors.Is(err, fs.ErrNotExist) && !used {
		master, err = makeMaster(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMaster
	}
	if err != nil {
		return nil, err
	}
	// The mark tells whether a key is the right one and nothing about it.
	mark, err := hkdf.Key(sha256.New, master, nil, "hawserd 1 check", 32)
	if err != nil {
		return nil, fmt.Errorf("derive check: %w", err)
	}
	if !used {
		if want, err = db.SetMark(ctx, tenantdb.CheckMark, mark); err != nil {
			return nil, err
		}
	}
	if subtle.ConstantTimeCompare(mark, want) != 1 {
		return nil, errMaster
	}
	return provision.NewVault(master)
}

func readMaster(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key file: %s can be read by others; run chmod 600 on it", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(master) != provision.MasterSize {
		return nil, fmt.Errorf("read key file: %s does not hold %d bytes in base64", file, provision.MasterSize)
	}
	return master, nil
}

// makeMaster draws a key and has it on the disk before anything is sealed with it.
func makeMaster(file string) ([]byte, error) {
	master := make([]byte, provision.MasterSize)
	_, _ = rand.Read(master) // crypto/rand.Read never returns an error
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(master) + "\n")
	err = errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(file)))
	if err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	return master, nil
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be opened there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
