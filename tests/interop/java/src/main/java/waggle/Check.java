package waggle;

/** A program of checks: it prints a line for each, and its status is 1 where one of them was bad. */
abstract class Check {
  private boolean bad;

  protected void check(String name, boolean good, Object saw) {
    bad |= !good;
    System.out.println((good ? "ok " : "bad ") + name + " | " + saw);
  }

  /** Ends the process: the libraries' threads are no daemons. */
  protected void end() {
    System.out.flush();
    Runtime.getRuntime().halt(bad ? 1 : 0);
  }
}
