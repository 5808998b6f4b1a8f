package waggle;

import com.google.common.eventbus.Subscribe;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.http.client.config.RequestConfig;
import org.apache.servicecomb.config.center.client.ConfigCenterAddressManager;
import org.apache.servicecomb.config.center.client.ConfigCenterClient;
import org.apache.servicecomb.config.kie.client.KieClient;
import org.apache.servicecomb.config.kie.client.model.ConfigurationsRequest;
import org.apache.servicecomb.config.kie.client.model.KieAddressManager;
import org.apache.servicecomb.config.kie.client.model.KieConfiguration;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.http.client.common.HttpTransport;
import org.apache.servicecomb.http.client.common.HttpTransportFactory;
import org.apache.servicecomb.service.center.client.DiscoveryEvents.PullInstanceEvent;
import org.apache.servicecomb.service.center.client.ServiceCenterWatch;
import org.apache.servicecomb.service.center.client.model.HealthCheck;
import org.apache.servicecomb.service.center.client.model.HealthCheckMode;
import org.apache.servicecomb.service.center.client.model.Microservice;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstance;
import org.apache.servicecomb.service.center.client.model.RbacTokenResponse;

/**
 * Services with the client libraries of Java Chassis and Spring Cloud Huawei while an engine's access control goes from off to observe to
 * enforce and back, one line a check: `ok NAME | SAW` or `bad NAME | SAW`. Arguments: the engine's address, root's password.
 */
public final class AccessCheck extends Check {
  private static final String APP = "access-java";
  private static final String PASSWORD = "Java-chassis-2";

  private final String engine;
  private final Operator operator;

  private AccessCheck(String engine, String password) {
    this.engine = engine;
    this.operator = new Operator(engine, password);
  }

  /** A registered instance, with the account that it calls with. */
  private final class Service {
    final Login login;
    final String serviceId;
    final String instanceId;

    Service(String name, String account, String password) {
      login = new Login(engine, account, password);
      serviceId = login.client.registerMicroservice(Registrations.service(APP, name)).getServiceId();
      instanceId = login.client.registerMicroserviceInstance(instance(serviceId)).getInstanceId();
    }

    boolean beats() {
      try {
        return login.client.sendHeartBeat(serviceId, instanceId);
      } catch (RuntimeException error) {
        return false;
      }
    }

    boolean readsCenter() {
      ConfigCenterAddressManager addresses = new ConfigCenterAddressManager("default", List.of(engine), login.events);
      ConfigCenterClient center = new ConfigCenterClient(addresses, transport());
      try {
        return center.queryConfigurations(Registrations.configuration(APP, "own"), addresses.address()).isChanged();
      } catch (RuntimeException error) {
        return false;
      }
    }

    private HttpTransport transport() {
      return HttpTransportFactory.createHttpTransport(new SSLProperties(), login, RequestConfig.custom().build());
    }

    boolean reads() {
      KieConfiguration configuration = new KieConfiguration().setAppName(APP).setServiceName(serviceId).setEnvironment("")
          .setVersion("1.0.0").setProject("default");
      KieAddressManager addresses = new KieAddressManager(List.of(engine), login.events);
      KieClient kie = new KieClient(addresses, transport(), configuration);
      ConfigurationsRequest request = new ConfigurationsRequest().setOrder(1).setWithExact(true)
          .setLabelsQuery("label=app%3A" + APP + "&label=environment%3A").setRevision(ConfigurationsRequest.INITIAL_REVISION);
      try {
        return kie.queryConfigurations(request, addresses.address()).isChanged();
      } catch (RuntimeException error) {
        return false;
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    AccessCheck check = new AccessCheck(arguments[0], arguments[1]);
    check.walk();
    check.lockOut();
    check.end();
  }

  private void walk() throws Exception {
    Service early = new Service("early", "java", PASSWORD);
    check("off: there is no token", early.login.asked().getStatusCode() == 404, 404);
    check("off: a service with an account registers and beats", early.beats(), early.instanceId);
    check("off: it reads its configuration", early.reads(), early.serviceId);

    operator.turn("observe");
    RbacTokenResponse unknown = new Login(engine, "java", PASSWORD).asked();
    check("observe: an unknown account is told so", said(unknown, 401, "401302"), unknown.getErrorCode());
    Service late = new Service("late", "java", PASSWORD);
    operator.create("java", PASSWORD);
    Service right = new Service("right", "java", PASSWORD);
    Service wrong = new Service("wrong", "java", "Java-chassis-3");
    check("observe: the right account has a token", right.login.asked().getToken() != null, right.instanceId);
    check("observe: who met the 404 goes on", early.beats() && early.reads(), early.instanceId);
    check("observe: who came before its account goes on", late.beats() && late.reads(), late.instanceId);
    check("observe: a wrong password goes on", wrong.beats() && wrong.reads(), wrong.instanceId);
    for (int times = 0; times < 5; times++) {
      wrong.login.asked();
    }
    check("observe: nobody is locked out", said(wrong.login.asked(), 401, "401302"), "401302");

    operator.turn("enforce");
    check("enforce: who has a token goes on at once", right.beats() && right.reads(), right.instanceId);
    check("enforce: it is told of changes", told(right), right.serviceId);
    check("enforce: it reads Config Center", right.readsCenter(), right.serviceId);
    check("enforce: who came before its account is refused once", !late.beats(), 401);
    check("enforce: and has asked again by then", late.beats() && late.reads(), late.login.logins());
    int before = wrong.login.logins();
    check("enforce: a wrong password is refused", !wrong.beats() && !wrong.reads(), 401);
    check("enforce: it asks once more, and not at each call", !wrong.beats() && wrong.login.logins() == before + 1,
        wrong.login.logins());
    check("enforce: nor reads it Config Center", !wrong.readsCenter(), 401);
    int asked = early.login.logins();
    check("enforce: who met the 404 is refused and does not ask", !early.beats() && early.login.logins() == asked, asked);
    renewal();

    operator.turn("observe");
    check("observe again: nobody is refused", early.beats() && wrong.beats() && right.beats(), early.instanceId);
    operator.turn("off");
    check("off again: nobody is refused", early.beats() && wrong.beats() && right.beats(), early.instanceId);
  }

  /** What an account may is learnt with its next token, as a token has the roles of its day. */
  private void renewal() throws Exception {
    operator.createLooker();
    operator.create("renewing", PASSWORD, "looker");
    Login renewing = new Login(engine, "renewing", PASSWORD);
    check("enforce: its role may not register", !registers(renewing), "looker");
    operator.promote("renewing");
    check("enforce: nor with the token that it has, once it has another role", !registers(renewing), "developer");
    renewing.renew();
    check("enforce: it may with a new one", registers(renewing), renewing.logins());
  }

  private static boolean registers(Login login) {
    try {
      return login.client.registerMicroservice(Registrations.service(APP, "renewing")).getServiceId() != null;
    } catch (RuntimeException error) {
      return false;
    }
  }

  /** A name of its own: others are not locked by what is tried here. */
  private void lockOut() throws Exception {
    operator.turn("observe");
    operator.create("locked", PASSWORD);
    operator.turn("enforce");
    Login guessing = new Login(engine, "locked", "Java-chassis-3");
    List<String> codes = new ArrayList<>();
    for (int times = 0; times < 4; times++) {
      codes.add(guessing.asked().getErrorCode());
    }
    check("enforce: the fourth wrong password is locked out",
        codes.equals(List.of("401202", "401202", "401202", "403201")), codes);
    RbacTokenResponse right = new Login(engine, "locked", PASSWORD).asked();
    check("enforce: so is the right one", said(right, 403, "403201"), right.getErrorCode());
    check("enforce: and nobody else", new Login(engine, "java", PASSWORD).asked().getStatusCode() == 200, 200);
  }

  private boolean told(Service service) throws InterruptedException {
    BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    service.login.events.register(new Object() {
      @Subscribe
      public void onPull(PullInstanceEvent event) {
        heard.add(event);
      }
    });
    service.login.client.findMicroserviceInstance(service.serviceId, APP, "early", "0+", "");
    ServiceCenterWatch watch = new ServiceCenterWatch(
        service.login.addresses, new SSLProperties(), service.login, "default", new HashMap<>(), service.login.events);
    watch.startWatch("default", service.serviceId);
    Microservice early = Registrations.service(APP, "early");
    boolean pushed = false;
    // The watch tells nobody when it is connected, so instances come until it speaks.
    for (int times = 0; times < 20 && !pushed; times++) {
      String serviceId = service.login.client.registerMicroservice(early).getServiceId();
      service.login.client.registerMicroserviceInstance(instance(serviceId));
      pushed = heard.poll(1, TimeUnit.SECONDS) != null;
    }
    watch.stop();
    return pushed;
  }

  private static boolean said(RbacTokenResponse answer, int status, String code) {
    return answer.getStatusCode() == status && code.equals(answer.getErrorCode());
  }

  private static MicroserviceInstance instance(String serviceId) {
    MicroserviceInstance instance = Registrations.instance(serviceId, 1024 + (int) (Math.random() * 60000));
    HealthCheck health = new HealthCheck();
    health.setMode(HealthCheckMode.push);
    health.setInterval(30);
    health.setTimes(3);
    instance.setHealthCheck(health);
    return instance;
  }
}
