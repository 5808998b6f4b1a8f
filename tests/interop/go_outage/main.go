// go-chassis' client libraries of the registry and of KIE with an address where nobody listens, through an engine's sudden end and its
// return, and over TLS. It prints what the libraries' own API returned: one line a check, `ok NAME | SAW` or `bad NAME | SAW`. A line
// `now WORD` asks whoever runs this to kill, to stop or to start the engine and to answer with a line.
// Arguments: `outage`, the engine's host:port and that of nobody; or `tls`, the engine's host:port, a PEM file of the authority that it
// has its certificate from, and one of another.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/go-chassis/cari/discovery"
	"github.com/go-chassis/kie-client"
	sc "github.com/go-chassis/sc-client"
)

const app = "outage-go"

var (
	bad     = false
	answers = bufio.NewReader(os.Stdin)
	labels  = map[string]string{"app": app, "environment": ""}
)

func check(name string, good bool, saw interface{}) {
	word := "ok"
	if !good {
		word, bad = "bad", true
	}
	fmt.Printf("%s %s | %v\n", word, name, saw)
}

func must(err error) {
	if err != nil {
		fmt.Printf("bad stopped | %v\n", err)
		os.Exit(1)
	}
}

func main() {
	if os.Args[1] == "tls" {
		trusted(os.Args[2], trusting(os.Args[3]))
		refused(os.Args[2], trusting(os.Args[4]))
	} else {
		severalAddresses(os.Args[2], os.Args[3])
		rollingRestart(os.Args[2])
		restart(os.Args[2])
	}
	if bad {
		os.Exit(1)
	}
}

func severalAddresses(engine, nobody string) {
	client, err := sc.NewClient(sc.Options{Endpoints: []string{nobody, engine}, Timeout: 5 * time.Second})
	must(err)
	serviceID, instanceID := registered(client, "several", 1)
	answered := 0
	for times := 0; times < 10; times++ {
		if done, err := client.Heartbeat(serviceID, instanceID); err == nil && done {
			answered++
		}
	}
	check("several addresses: each call is answered", answered == 10, answered)
}

// rollingRestart polls while the engine stops as it is told to. Whoever asks for `stop` is answered once a poll waits and has then ended.
func rollingRestart(engine string) {
	config, err := kie.NewClient(kie.Config{Endpoint: "http://" + engine})
	must(err)
	poll := func(revision int) (int, error) {
		_, next, err := config.List(context.Background(), kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision), kie.WithWait("4m"))
		return next, err
	}
	revision, err := poll(-1)
	must(err)
	polled := make(chan error, 2)
	go func() {
		for range 2 {
			_, err := poll(revision)
			polled <- err
		}
	}()
	ask("stop")
	ended, again := <-polled, <-polled
	check("stop: a poll ends without a change", errors.Is(ended, kie.ErrNoChanges), ended)
	check("stop: one that follows at once finds nobody, and is not cut off", errors.Is(again, syscall.ECONNREFUSED), again)
	ask("start")
	_, err = poll(-1)
	check("stop: after the start it polls as before", err == nil, err)
}

func restart(engine string) {
	client, err := sc.NewClient(sc.Options{Endpoints: []string{engine}, Timeout: 5 * time.Second})
	must(err)
	serviceID, instanceID := registered(client, "own", 1)
	events := make(chan *sc.MicroServiceInstanceChangedEvent, 100)
	_, err = client.FindMicroServiceInstances(serviceID, app, "own", "0+")
	must(err)
	must(client.WatchMicroService(serviceID, func(event *sc.MicroServiceInstanceChangedEvent) { events <- event }))
	config, err := kie.NewClient(kie.Config{Endpoint: "http://" + engine})
	must(err)
	_, revision, err := config.List(context.Background(), kie.WithLabels(labels), kie.WithExact())
	must(err)

	ask("kill")
	_, err = client.Heartbeat(serviceID, instanceID)
	check("restart: the library tells that a heartbeat fails", err != nil, err)
	_, _, err = config.List(context.Background(), kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision), kie.WithWait("5s"))
	check("restart: it tells that a poll fails", err != nil && !errors.Is(err, kie.ErrNoChanges), err)
	ask("start")

	check("restart: the heartbeat is taken again", until(func() bool {
		done, err := client.Heartbeat(serviceID, instanceID)
		return err == nil && done
	}), instanceID)
	_, err = client.FindMicroServiceInstances(serviceID, app, "own", "0+")
	check("restart: find with the revision is not modified", errors.Is(err, sc.ErrNotModified), err)
	same := instance(serviceID, 1)
	same.InstanceId = instanceID
	again, err := client.RegisterMicroServiceInstance(same)
	check("restart: who registers again is the same", err == nil && again == instanceID, again)
	found, err := client.FindMicroServiceInstances(serviceID, app, "own", "0+", sc.WithoutRevision())
	check("restart: it is registered once", err == nil && len(found) == 1, len(found))
	changed(config, revision)
	check("restart: the watch tells again", pushed(client, serviceID, events), serviceID)
	shutdown(client, serviceID, instanceID)
}

// changed tells whether the library's wait, begun with a revision from before the restart, ends with a change.
func changed(config *kie.Client, revision int) {
	ctx := context.Background()
	_, revision, err := config.List(ctx, kie.WithLabels(labels), kie.WithExact())
	must(err)
	heard := make(chan string, 1)
	go func() {
		seen, _, err := config.List(ctx, kie.WithLabels(labels), kie.WithExact(), kie.WithRevision(revision), kie.WithWait("20s"))
		if err != nil || seen.Total != 1 {
			heard <- fmt.Sprint(err)
			return
		}
		heard <- seen.Data[0].Value
	}()
	_, err = config.Create(ctx, kie.KVRequest{Key: "after", Value: "1", Status: "enabled", Labels: labels})
	must(err)
	saw := <-heard
	check("restart: a change ends a poll", saw == "1", saw)
}

// pushed registers instances until the watch, which tells nobody when it is connected again, speaks.
func pushed(client *sc.Client, serviceID string, events chan *sc.MicroServiceInstanceChangedEvent) bool {
	for port := 2; port < 42; port++ {
		_, err := client.RegisterMicroServiceInstance(instance(serviceID, port))
		must(err)
		select {
		case event := <-events:
			return event.Action == "CREATE" && event.Instance.ServiceId == serviceID
		case <-time.After(time.Second):
		}
	}
	return false
}

func shutdown(client *sc.Client, serviceID, instanceID string) {
	before, err := client.FindMicroServiceInstances(serviceID, app, "own", "0+", sc.WithoutRevision())
	must(err)
	done, err := client.UnregisterMicroServiceInstance(serviceID, instanceID)
	check("shutdown: unregistering is taken", err == nil && done, err)
	after, err := client.FindMicroServiceInstances(serviceID, app, "own", "0+")
	check("shutdown: others see it at once", err == nil && len(after) == len(before)-1, len(after))
	must(client.Close())
	_, err = client.FindMicroServiceInstances(serviceID, app, "own", "0+")
	check("shutdown: nothing changes by closing", errors.Is(err, sc.ErrNotModified), err)
}

func trusted(engine string, config *tls.Config) {
	client, err := sc.NewClient(sc.Options{Endpoints: []string{engine}, EnableSSL: true, TLSConfig: config, Timeout: 5 * time.Second})
	must(err)
	serviceID, instanceID := registered(client, "own", 1)
	done, err := client.Heartbeat(serviceID, instanceID)
	check("registers and beats", err == nil && done, instanceID)
	found, err := client.FindMicroServiceInstances(serviceID, app, "own", "0+")
	check("finds itself", err == nil && len(found) == 1, err)
	events := make(chan *sc.MicroServiceInstanceChangedEvent, 100)
	must(client.WatchMicroService(serviceID, func(event *sc.MicroServiceInstanceChangedEvent) { events <- event }))
	check("the watch tells over wss", pushed(client, serviceID, events), serviceID)
	// The library takes no authorities of its caller's, so this one trusts those of the system, which SSL_CERT_FILE names.
	values, err := kie.NewClient(kie.Config{Endpoint: "https://" + engine, VerifyPeer: true})
	must(err)
	_, revision, err := values.List(context.Background(), kie.WithLabels(labels), kie.WithExact())
	check("reads its configuration", err == nil && revision > 0, err)
}

func refused(engine string, config *tls.Config) {
	client, err := sc.NewClient(sc.Options{Endpoints: []string{engine}, EnableSSL: true, TLSConfig: config, Timeout: 5 * time.Second})
	must(err)
	_, err = client.RegisterService(&discovery.MicroService{AppId: app, ServiceName: "own", Version: "1.0.0"})
	var unknown x509.UnknownAuthorityError
	check("an engine of an unknown authority is not trusted", errors.As(err, &unknown), err)
}

func trusting(file string) *tls.Config {
	pem, err := os.ReadFile(file)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func registered(client *sc.Client, name string, port int) (serviceID, instanceID string) {
	serviceID, err := client.RegisterService(
		&discovery.MicroService{AppId: app, ServiceName: name, Version: "1.0.0", Level: "BACK", Status: "UP"})
	must(err)
	instanceID, err = client.RegisterMicroServiceInstance(instance(serviceID, port))
	must(err)
	return serviceID, instanceID
}

func instance(serviceID string, port int) *discovery.MicroServiceInstance {
	return &discovery.MicroServiceInstance{
		ServiceId: serviceID,
		HostName:  "go",
		Endpoints: []string{fmt.Sprintf("rest://127.0.0.1:%d", port)},
		Status:    sc.MSInstanceUP,
	}
}

func until(holds func() bool) bool {
	for times := 0; times < 300; times++ {
		if holds() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

func ask(word string) {
	fmt.Println("now " + word)
	_, err := answers.ReadString('\n')
	must(err)
}
