// Services on go-chassis, unmodified: a provider, and a consumer that obeys what the engine serves. Both read chassis.yaml and
// microservice.yaml from the folder that CHASSIS_CONF_DIR names. Arguments: `provider`, which runs until it is told to end; or `consumer`
// and the engine's address, or `restart` and that, for a consumer under which the engine is killed and started again. They print what the
// framework's own calls returned: one line a check, `ok NAME | SAW` or `bad NAME | SAW`. A line `now WORD` asks whoever runs this to start or
// end a provider or the engine, and to answer with a line.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-chassis/go-archaius"
	"github.com/go-chassis/go-chassis/v2"
	_ "github.com/go-chassis/go-chassis/v2/bootstrap"
	"github.com/go-chassis/go-chassis/v2/client/rest"
	"github.com/go-chassis/go-chassis/v2/core"
	"github.com/go-chassis/go-chassis/v2/core/common"
	"github.com/go-chassis/go-chassis/v2/middleware/circuit"
	"github.com/go-chassis/go-chassis/v2/pkg/runtime"
	"github.com/go-chassis/go-chassis/v2/pkg/util/httputil"
	"github.com/go-chassis/go-chassis/v2/server/restful"
)

const (
	app     = "chassis-go"
	rule    = "servicecomb.routeRule.provider"
	breaker = "cse.circuitBreaker.Consumer."
)

var (
	bad     = false
	engine  string
	answers = bufio.NewReader(os.Stdin)
	invoker *core.RestInvoker
	_       = circuit.Name
)

// Where answers with its own version, and fails where it is asked to.
type Where struct{}

// Version answers with the version of the service.
func (w *Where) Version(b *restful.Context) {
	_ = b.Write([]byte(runtime.Version))
}

// Fail hangs up: the framework takes a status for a failure only until settings of its circuit breaker change.
func (w *Where) Fail(b *restful.Context) {
	connection, _, err := b.ReadRestfulResponse().Hijack()
	must(err)
	must(connection.Close())
}

// URLPatterns are the service's routes.
func (w *Where) URLPatterns() []restful.Route {
	return []restful.Route{
		{Method: http.MethodGet, Path: "/version", ResourceFunc: w.Version},
		{Method: http.MethodGet, Path: "/fail", ResourceFunc: w.Fail},
	}
}

func main() {
	if os.Args[1] == "provider" {
		chassis.RegisterSchema("rest", &Where{})
		must(chassis.Init())
		must(chassis.Run())
		return
	}
	engine = os.Args[2]
	must(chassis.Init())
	invoker = core.NewRestInvoker()
	if os.Args[1] == "restart" {
		restart()
	} else {
		obey()
	}
	if bad {
		os.Exit(1)
	}
}

func obey() {
	check("discovery: the newest version is called", until(func() bool { return versions("") == "2.0.0" }), versions(""))
	configuration()
	routeRule()
	circuitBreaker()
	ask("stop")
	check("watch: who has unregistered is not called", until(func() bool { return versions("") == "1.0.0" }), versions(""))
}

func restart() {
	put("greeting", "before")
	check("restart: the provider is called", until(func() bool { return versions("") == "1.0.0" }), versions(""))
	check("restart: the configuration is read", until(func() bool { return archaius.GetString("greeting", "") == "before" }),
		archaius.GetString("greeting", ""))
	ask("kill")
	check("restart: calls go on without the engine", versions("") == "1.0.0", versions(""))
	check("restart: and what was configured stays", archaius.GetString("greeting", "") == "before", archaius.GetString("greeting", ""))
	ask("start")
	put("greeting", "after")
	check("restart: a change of the configuration arrives",
		within(time.Minute, func() bool { return archaius.GetString("greeting", "") == "after" }), archaius.GetString("greeting", ""))
	ask("second")
	check("restart: so does a new version", within(2*time.Minute, func() bool { return versions("") == "2.0.0" }), versions(""))
}

func configuration() {
	put("greeting", "hello")
	check("configuration: a new item is there", until(func() bool { return archaius.GetString("greeting", "") == "hello" }),
		archaius.GetString("greeting", ""))
	put("greeting", "welcome")
	check("configuration: so is its change", until(func() bool { return archaius.GetString("greeting", "") == "welcome" }),
		archaius.GetString("greeting", ""))
	own := []string{"serviceName:consumer", "version:1.0.0"}
	put("greeting", "ahoy", own...)
	check("configuration: what is for the service wins", until(func() bool { return archaius.GetString("greeting", "") == "ahoy" }),
		archaius.GetString("greeting", ""))
	remove("greeting", own...)
	check("configuration: without it the application's counts", until(func() bool { return archaius.GetString("greeting", "") == "welcome" }),
		archaius.GetString("greeting", ""))
	remove("greeting")
	check("configuration: and its deletion", until(func() bool { return archaius.GetString("greeting", "none") == "none" }),
		archaius.GetString("greeting", "none"))
}

func routeRule() {
	put(rule, "- precedence: 1\n  route:\n  - tags:\n      version: 1.0.0\n    weight: 100\n"+
		"- precedence: 2\n  match:\n    headers:\n      user:\n        exact: gray\n  route:\n  - tags:\n      version: 2.0.0\n    weight: 100\n")
	check("route rule: everybody is sent to one version", until(func() bool { return versions("") == "1.0.0" }), versions(""))
	check("route rule: who has the header is sent to another", versions("gray") == "2.0.0", versions("gray"))
	put(rule, "- precedence: 1\n  route:\n  - tags:\n      version: 1.0.0\n    weight: 50\n"+
		"  - tags:\n      version: 2.0.0\n    weight: 50\n")
	check("route rule: its change is obeyed", until(func() bool { return versions("") == "1.0.0 2.0.0" }), versions(""))
	remove(rule)
	check("route rule: so is its deletion", until(func() bool { return versions("") == "2.0.0" }), versions(""))
}

func circuitBreaker() {
	for times := 0; times < 10; times++ {
		_, err := called("/fail", "")
		if err == nil || open(err) {
			check("circuit breaker: without a setting it stays closed", false, err)
			return
		}
	}
	check("circuit breaker: without a setting it stays closed", true, 10)
	put(breaker+"enabled", "true")
	put(breaker+"requestVolumeThreshold", "5")
	put(breaker+"errorThresholdPercentage", "50")
	put(breaker+"sleepWindowInMilliseconds", "1000")
	var err error
	opened := until(func() bool {
		_, err = called("/fail", "")
		return open(err)
	})
	check("circuit breaker: it opens as the setting says", opened, err)
	closed := until(func() bool {
		_, err = called("/fail", "")
		return err != nil && !open(err)
	})
	check("circuit breaker: it lets a call through after its window", closed, err)
}

func open(err error) bool {
	return err != nil && strings.Contains(err.Error(), "circuit open")
}

// versions are those that answer 20 calls.
func versions(user string) string {
	seen := map[string]bool{}
	for times := 0; times < 20; times++ {
		answer, err := called("/version", user)
		if err != nil {
			return err.Error()
		}
		seen[answer] = true
	}
	if len(seen) == 2 && seen["1.0.0"] && seen["2.0.0"] {
		return "1.0.0 2.0.0"
	}
	for version := range seen {
		return version
	}
	return ""
}

func called(path, user string) (string, error) {
	request, err := rest.NewRequest(http.MethodGet, "http://provider"+path, nil)
	must(err)
	headers := map[string]string{}
	if user != "" {
		headers["user"] = user
	}
	ctx := context.WithValue(context.Background(), common.ContextHeaderKey{}, headers)
	answer, err := invoker.ContextDo(ctx, request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	return string(httputil.ReadBody(answer)), nil
}

// put writes for the application, or for what more labels name.
func put(key, value string, more ...string) {
	labels := map[string]string{}
	for _, label := range labelled(more) {
		name, named, _ := strings.Cut(label, ":")
		labels[name] = named
	}
	body, err := json.Marshal(map[string]interface{}{
		"key": key, "value": value, "value_type": "text", "status": "enabled", "labels": labels})
	must(err)
	send(http.MethodPut, "/waggle/v1/config/items", body)
}

func remove(key string, more ...string) {
	query := url.Values{"key": {key}, "label": labelled(more)}
	send(http.MethodDelete, "/waggle/v1/config/items?"+query.Encode(), nil)
}

// labelled has the names that the framework's configuration source gives labels: others call these app and service.
func labelled(more []string) []string {
	return append([]string{"appId:" + app, "environment:"}, more...)
}

func send(method, path string, body []byte) {
	request, err := http.NewRequest(method, engine+path, bytes.NewReader(body))
	must(err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	must(err)
	must(answer.Body.Close())
	if answer.StatusCode != http.StatusOK {
		must(fmt.Errorf("%s %s: %d", method, path, answer.StatusCode))
	}
}

// until waits for 20 seconds at most: less than the framework's own refresh, which would hide a watch that tells nothing.
func until(holds func() bool) bool {
	return within(20*time.Second, holds)
}

func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

func ask(word string) {
	fmt.Println("now " + word)
	_, err := answers.ReadString('\n')
	must(err)
}

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
