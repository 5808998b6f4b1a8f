// Drives an engine through the client library of go-chassis and prints what the library's own API returned: one line a check,
// `ok NAME | SAW` or `bad NAME | SAW`. Arguments: the engine's host:port addresses.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-chassis/cari/discovery"
	sc "github.com/go-chassis/sc-client"
)

const app = "interop-go"

var bad = false

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

func service(name string) *discovery.MicroService {
	return &discovery.MicroService{AppId: app, ServiceName: name, Version: "1.0.0", Level: "BACK", Status: "UP"}
}

func instance(serviceID string, port int) *discovery.MicroServiceInstance {
	return &discovery.MicroServiceInstance{
		ServiceId: serviceID,
		HostName:  "go",
		Endpoints: []string{fmt.Sprintf("rest://127.0.0.1:%d", port)},
		Status:    sc.MSInstanceUP,
	}
}

func main() {
	client, err := sc.NewClient(sc.Options{Endpoints: os.Args[1:], Timeout: 5 * time.Second})
	must(err)
	run := fmt.Sprintf("%x", time.Now().UnixNano())
	provider, consumer := service("provider-"+run), service("consumer-"+run)

	unknown, err := client.GetMicroServiceID(app, provider.ServiceName, "1.0.0", "")
	check("unknown service has no id", err == nil && unknown == "", unknown)
	providerID, err := client.RegisterService(provider)
	must(err)
	check("service gets an id", len(providerID) == 40, providerID)
	again, err := client.RegisterService(provider)
	check("same service, same id", err == nil && again == providerID, again)
	found, err := client.GetMicroServiceID(app, provider.ServiceName, "1.0.0", "")
	check("service is found by name", err == nil && found == providerID, found)
	read, err := client.GetMicroService(providerID)
	check("service is read back", err == nil && read.ServiceName == provider.ServiceName, err)
	check("schema is stored", client.AddSchemas(providerID, "hello", "swagger: '2.0'") == nil, "hello")
	schema, err := client.GetSchema(providerID, "hello")
	check("schema is read back", err == nil && strings.Contains(string(schema), "swagger: '2.0'"), string(schema))
	done, err := client.UpdateMicroServiceProperties(providerID, &discovery.MicroService{Properties: map[string]string{"a": "b"}})
	check("properties are replaced", err == nil && done, err)

	consumerID, err := client.RegisterService(consumer)
	must(err)
	instanceID, err := client.RegisterMicroServiceInstance(instance(providerID, 1))
	must(err)
	check("instance gets an id", len(instanceID) == 32, instanceID)
	done, err = client.Heartbeat(providerID, instanceID)
	check("heartbeat is taken", err == nil && done, err)
	done, err = client.Heartbeat(providerID, "nobody")
	check("heartbeat of an unknown instance is refused", err != nil && !done, err)
	check("heartbeat by websocket is taken", client.WSHeartbeat(providerID, instanceID, func() {}) == nil, instanceID)

	instances, err := client.FindMicroServiceInstances(consumerID, app, provider.ServiceName, "0+")
	check("find sees the instance", err == nil && len(instances) == 1, err)
	_, err = client.FindMicroServiceInstances(consumerID, app, provider.ServiceName, "0+")
	check("find with the revision is not modified", errors.Is(err, sc.ErrNotModified), err)
	_, err = client.FindMicroServiceInstances(consumerID, app, "none-"+run, "0+")
	check("find of an unknown service is told apart", errors.Is(err, sc.ErrMicroServiceNotExists), err)

	events := make(chan *sc.MicroServiceInstanceChangedEvent, 100)
	must(client.WatchMicroService(consumerID, func(event *sc.MicroServiceInstanceChangedEvent) { events <- event }))
	second, err := client.RegisterMicroServiceInstance(instance(providerID, 2))
	must(err)
	check("watch tells of a new instance", heard(events, "CREATE", second), second)
	instances, err = client.FindMicroServiceInstances(consumerID, app, provider.ServiceName, "0+")
	check("find sees the second at once", err == nil && len(instances) == 2, err)
	done, err = client.UpdateMicroServiceInstanceStatus(providerID, second, "DOWN")
	check("status is set", err == nil && done, err)
	check("watch tells of the status", heard(events, "UPDATE", second), second)
	done, err = client.UpdateMicroServiceInstanceProperties(providerID, second,
		&discovery.MicroServiceInstance{Properties: map[string]string{"lane": "gray"}})
	check("instance properties are replaced", err == nil && done, err)
	check("watch tells of the properties", heard(events, "UPDATE", second), second)
	listed, err := client.GetMicroServiceInstances(consumerID, providerID)
	check("instances are listed", err == nil && len(listed) == 2, err)
	answer, err := client.BatchFindInstances(consumerID, []*discovery.FindService{
		{Service: &discovery.MicroServiceKey{AppId: app, ServiceName: provider.ServiceName}},
		{Service: &discovery.MicroServiceKey{AppId: app, ServiceName: "none-" + run}},
	})
	shown, _ := json.Marshal(answer)
	check("batch find sees them", err == nil && len(answer.Services.Updated) == 1 &&
		len(answer.Services.Updated[0].Instances) == 2, len(shown))
	done, err = client.UnregisterMicroServiceInstance(providerID, second)
	check("instance is unregistered", err == nil && done, err)
	check("watch tells of the deletion", heard(events, "DELETE", second), second)
	engines, err := client.Health()
	check("the engine lists itself", err == nil && len(engines) == 1, err)
	err = client.SyncEndpoints()
	check("the engine's own address is taken, and answers", err == nil && beats(client, providerID, instanceID), err)
	providers, err := client.GetProviders(consumerID)
	check("the dependency was recorded", err == nil && len(providers.Services) == 1, err)
	all, err := client.GetAllMicroServices()
	check("services are listed", err == nil && len(all) >= 2, err)
	details, err := client.GetAllResources("instances")
	check("the overview is read", err == nil && len(details) >= 2, err)
	apps, err := client.GetAllApplications()
	check("applications are listed", err == nil && len(apps) >= 1, apps)
	done, err = client.UnregisterMicroService(providerID)
	check("service is unregistered", err == nil && done, err)
	if bad {
		os.Exit(1)
	}
}

func beats(client *sc.Client, serviceID, instanceID string) bool {
	done, err := client.Heartbeat(serviceID, instanceID)
	return err == nil && done
}

func heard(events chan *sc.MicroServiceInstanceChangedEvent, action, instanceID string) bool {
	limit := time.After(10 * time.Second)
	for {
		select {
		case event := <-events:
			if event.Action == action && event.Instance.InstanceId == instanceID {
				return true
			}
		case <-limit:
			return false
		}
	}
}
