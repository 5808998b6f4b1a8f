package waggle;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;

import org.apache.servicecomb.service.center.client.model.Microservice;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstance;

/** What the programs register. */
final class Registrations {
  private Registrations() {}

  static Microservice service(String app, String name) {
    Microservice service = new Microservice(name);
    service.setAppId(app);
    service.setVersion("1.0.0");
    service.setEnvironment("");
    service.setProperties(new HashMap<>());
    service.setSchemas(new ArrayList<>());
    return service;
  }

  static MicroserviceInstance instance(String serviceId, int port) {
    MicroserviceInstance instance = new MicroserviceInstance();
    instance.setServiceId(serviceId);
    instance.setHostName("java");
    instance.setEndpoints(List.of("rest://127.0.0.1:" + port));
    instance.setProperties(new HashMap<>());
    return instance;
  }
}
