package waggle;

import com.google.common.eventbus.EventBus;
import com.google.common.eventbus.Subscribe;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.servicecomb.foundation.auth.SignRequest;
import org.apache.servicecomb.http.client.auth.RequestAuthHeaderProvider;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.service.center.client.OperationEvents.UnAuthorizedOperationEvent;
import org.apache.servicecomb.service.center.client.ServiceCenterAddressManager;
import org.apache.servicecomb.service.center.client.ServiceCenterClient;
import org.apache.servicecomb.service.center.client.model.RbacTokenRequest;
import org.apache.servicecomb.service.center.client.model.RbacTokenResponse;

/**
 * An account of a service as the frameworks have it: they do not publish theirs alone, so this does what it does. The answer to a login is
 * kept (for 20 minutes, longer than a check takes) where it is 200 with a token, 404, or 401 and 403 with an error; `invalid` is sent where
 * there is no token. A call that is refused by 401 lets it ask again where the last answer was 401302, and in no other case; `renew` is what
 * they do by the clock.
 */
final class Login implements RequestAuthHeaderProvider {
  final ServiceCenterClient client;
  final ServiceCenterAddressManager addresses;
  final EventBus events = new EventBus();
  private final ServiceCenterClient asking;
  private final RbacTokenRequest account = new RbacTokenRequest();
  private RbacTokenResponse kept;
  private int logins;

  Login(String engine, String name, String password) {
    account.setName(name);
    account.setPassword(password);
    addresses = new ServiceCenterAddressManager("default", List.of(engine), events);
    SSLProperties tls = new SSLProperties();
    asking = new ServiceCenterClient(addresses, tls, request -> Collections.emptyMap(), "default", Collections.emptyMap());
    client = new ServiceCenterClient(addresses, tls, this, "default", Collections.emptyMap()).setEventBus(events);
    events.register(this);
  }

  /** What the engine says to the account now, as the library reads it. */
  RbacTokenResponse asked() {
    logins++;
    return asking.queryToken(account);
  }

  /** Ask for a token again; where there is none, the one that was kept stays. */
  void renew() {
    RbacTokenResponse answer = asked();
    kept = answer.getStatusCode() == 200 ? answer : kept;
  }

  int logins() {
    return logins;
  }

  @Override
  public Map<String, String> loadAuthHeader(SignRequest request) {
    if (kept == null) {
      kept = asked();
    }
    String token = kept.getStatusCode() == 200 ? kept.getToken() : "invalid";
    return Map.of("Authorization", "Bearer " + token);
  }

  @Subscribe
  public void onUnauthorized(UnAuthorizedOperationEvent event) {
    if (kept != null && kept.getStatusCode() == 401 && "401302".equals(kept.getErrorCode())) {
      kept = asked();
    }
  }
}
