package waggle;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/** A program of checks: it prints a line for each, and its status is 1 where one of them was bad. */
abstract class Check {
  private final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));
  private boolean bad;

  protected void check(String name, boolean good, Object saw) {
    bad |= !good;
    System.out.println((good ? "ok " : "bad ") + name + " | " + saw);
  }

  /** Has whoever runs this do something, and waits until it is done. */
  protected void wish(String word) throws IOException {
    System.out.println("now " + word);
    System.out.flush();
    answers.readLine();
  }

  /** Ends the process: the libraries' threads are no daemons. */
  protected void end() {
    System.out.flush();
    Runtime.getRuntime().halt(bad ? 1 : 0);
  }
}
