// Reads and writes an engine's configuration through go-chassis' client library of KIE and prints what the library's own API returned: one
// line a check, `ok NAME | SAW` or `bad NAME | SAW`. Argument: the engine's address.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-chassis/kie-client"
)

var (
	bad    = false
	labels = map[string]string{"app": "mall", "environment": ""}
)

func check(name string, good bool, saw interface{}) {
	word := "ok"
	if !good {
		word, bad = "bad", true
	}
	fmt.Printf("%s %s | %v\n", word, name, saw)
}

// refused tells whether the library read the engine's refusal as one.
func refused(err error, words string) bool {
	return err != nil && strings.HasPrefix(err.Error(), words)
}

func must(err error) {
	if err != nil {
		fmt.Printf("bad stopped | %v\n", err)
		os.Exit(1)
	}
}

func main() {
	client, err := kie.NewClient(kie.Config{Endpoint: os.Args[1]})
	must(err)
	ctx := context.Background()
	request := kie.KVRequest{Key: "timeout", Value: "2s", ValueType: "text", Status: "enabled", Labels: labels}

	empty, first, err := client.List(ctx, kie.WithLabels(labels), kie.WithExact())
	check("nothing is there yet", err == nil && empty.Total == 0 && first > 0, first)
	made, err := client.Create(ctx, request)
	must(err)
	check("a key is created", made.ID != "" && made.Value == "2s" && made.Status == "enabled", made.ID)
	_, err = client.Create(ctx, request)
	check("it cannot be created twice", refused(err, "record already exist"), err)
	_, err = client.Create(ctx, kie.KVRequest{Key: "not a key", Value: "1"})
	check("a bad key is refused", refused(err, "invalid parameter"), err)
	got, err := client.Get(ctx, made.ID)
	check("it is read by its id", err == nil && got.Key == "timeout", got)
	_, err = client.Get(ctx, "nope")
	check("an unknown id is not there", refused(err, "record does not exist"), err)
	changed, err := client.Put(ctx, kie.KVRequest{ID: made.ID, Value: "3s"})
	check("it is changed", err == nil && changed.Value == "3s", changed)
	found, revision, err := client.List(ctx, kie.WithKey("beginWith(time)"), kie.WithRevision(0))
	check("it is found by a prefix", err == nil && found.Total == 1 && found.Data[0].Value == "3s", revision)
	_, _, err = client.List(ctx, kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision))
	check("the same revision is no change", errors.Is(err, kie.ErrNoChanges), err)

	poll(ctx, client, revision)
	must(client.Delete(ctx, made.ID))
	gone, _, err := client.List(ctx, kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision))
	check("it is gone once deleted", err == nil && gone.Total == 1, gone)
	levels(ctx, client)
	if bad {
		os.Exit(1)
	}
}

// levels reads the label sets of an application, of a service and of its version, each by itself as go-archaius does.
func levels(ctx context.Context, client *kie.Client) {
	sets := []map[string]string{
		{"app": "levels", "environment": ""},
		{"app": "levels", "service": "cart", "environment": ""},
		{"app": "levels", "service": "cart", "version": "1.0.0", "environment": ""},
	}
	listed := []string{}
	for number, set := range sets {
		value := fmt.Sprintf("%d", number)
		_, err := client.Create(ctx, kie.KVRequest{Key: "level", Value: value, Status: "enabled", Labels: set})
		must(err)
		_, err = client.Create(ctx, kie.KVRequest{Key: "only" + value, Value: value, Status: "enabled", Labels: set})
		must(err)
	}
	for number, set := range sets {
		seen, _, err := client.List(ctx, kie.WithLabels(set), kie.WithExact(), kie.WithRevision(0))
		must(err)
		for _, item := range seen.Data {
			listed = append(listed, fmt.Sprintf("%d:%s=%s", number, item.Key, item.Value))
		}
	}
	sort.Strings(listed)
	check("each label set has its own items, and no others'",
		strings.Join(listed, " ") == "0:level=0 0:only0=0 1:level=1 1:only1=1 2:level=2 2:only2=2", listed)
}

// poll waits for a change that comes while it waits, and for one that never comes.
func poll(ctx context.Context, client *kie.Client, revision int) {
	go func() {
		time.Sleep(200 * time.Millisecond)
		writer, err := kie.NewClient(kie.Config{Endpoint: os.Args[1]})
		must(err)
		_, err = writer.Create(ctx, kie.KVRequest{Key: "late", Value: "1", Status: "enabled", Labels: labels})
		must(err)
	}()
	started := time.Now()
	seen, next, err := client.List(
		ctx, kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision), kie.WithWait("20s"))
	took := time.Since(started)
	check("a change ends the wait", err == nil && seen.Total == 2 && next > revision && took < 10*time.Second, took)
	_, _, err = client.List(ctx, kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(next), kie.WithWait("1s"))
	check("a wait without a change ends", errors.Is(err, kie.ErrNoChanges), err)
}
