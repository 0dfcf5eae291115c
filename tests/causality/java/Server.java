import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/** The JDK's own HTTP server on a pool of threads ("pool") or on virtual threads ("virtual"); calls over kept-alive sockets. */
public final class Server {
    private static final String LISTEN = System.getenv("CAUSALITY_LISTEN");
    private static final String BACKEND = System.getenv("CAUSALITY_BACKEND");
    private static final double BACKGROUND_MS = Double.parseDouble(System.getenv("CAUSALITY_BACKGROUND_MS"));
    private static final AtomicLong REQUESTS = new AtomicLong();
    private static final ConcurrentLinkedDeque<Connection> IDLE = new ConcurrentLinkedDeque<>();
    /** Which calls a request makes; half of them are answered from a cache, at random. */
    private static final Map<String, Integer> CALLS =
            Map.of("sync", 1, "pipelining", 1, "forget", 1, "retry", 1, "sequential", 3, "parallel", 3, "threads", 3);

    private static PrintWriter truth;
    private static ExecutorService workers;

    private static final class Request {
        final long number = REQUESTS.incrementAndGet();
        final long start = now();
        volatile boolean answered;
    }

    /** A kept-alive connection to the backend. */
    private static final class Connection {
        final Socket socket;
        final InputStream in;

        Connection() throws IOException {
            InetSocketAddress address = address(BACKEND);
            socket = new Socket(address.getAddress(), address.getPort());
            socket.setTcpNoDelay(true);
            in = new BufferedInputStream(socket.getInputStream());
        }

        int get(String path, String token) throws IOException {
            String head = "GET " + path + " HTTP/1.1\r\nHost: " + BACKEND + "\r\nX-Item: " + token + "\r\n\r\n";
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            String status = line();
            int length = 0;
            for (String header = line(); !header.isEmpty(); header = line()) {
                if (header.toLowerCase().startsWith("content-length:")) length = Integer.parseInt(header.substring(15).trim());
            }
            in.readNBytes(length);
            return Integer.parseInt(status.split(" ")[1]);
        }

        private String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int octet = in.read(); octet != '\n'; octet = in.read()) {
                if (octet < 0) throw new IOException("the backend closed the connection");
                line.append((char) octet);
            }
            return line.toString().trim();
        }
    }

    private static InetSocketAddress address(String text) {
        String[] parts = text.split(":");
        return new InetSocketAddress(parts[0], Integer.parseInt(parts[1]));
    }

    private static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    private static synchronized void note(String line) {
        truth.println(line);
        truth.flush();
    }

    private static String ends(String local, String peer, long start) {
        return "\"local\": \"" + local + "\", \"peer\": \"" + peer + "\", \"start\": " + start + ", \"end\": " + now() + "}";
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    /** Gives the status. */
    private static int call(String kind, String token, Request request) throws IOException {
        Connection connection = IDLE.pollFirst();
        if (connection == null) connection = new Connection();
        long start = now();
        boolean after = request != null && request.answered;
        int status = connection.get("/" + kind + "/" + token, token);
        String cause = request == null ? "null" : Long.toString(request.number);
        String local = text((InetSocketAddress) connection.socket.getLocalSocketAddress());
        note("{\"cause\": " + cause + ", \"after\": " + after + ", " + ends(local, BACKEND, start));
        IDLE.addFirst(connection);
        return status;
    }

    private static void unchecked(String kind, String token, Request request) {
        try {
            call(kind, token, request);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static int missed(String pattern) {
        int count = 0;
        for (int at = 0; at < CALLS.get(pattern); at++) count += ThreadLocalRandom.current().nextInt(2);
        return count;
    }

    /** Gives whether a call is left to make once the request is answered. */
    private static boolean work(String pattern, String token, Request request) throws Exception {
        int count = missed(pattern);
        if (pattern.equals("forget")) return count > 0;
        if (pattern.equals("parallel")) {
            List<Future<Integer>> calls = new ArrayList<>();
            for (int at = 0; at < count; at++) calls.add(workers.submit(() -> call("item", token, request)));
            for (Future<Integer> call : calls) call.get();
        } else if (pattern.equals("threads")) {
            List<Thread> threads = new ArrayList<>();
            for (int at = 0; at < count; at++) threads.add(new Thread(() -> unchecked("item", token, request)));
            for (Thread thread : threads) thread.start();
            for (Thread thread : threads) thread.join();
        } else if (pattern.equals("retry")) {
            for (int left = 3 * count; left > 0 && call("flaky", token, request) != 200; left--) {}
        } else {
            for (int at = 0; at < count; at++) call("item", token, request);
        }
        return false;
    }

    private static void answer(HttpExchange exchange) throws IOException {
        Request request = new Request();
        String[] path = exchange.getRequestURI().getPath().split("/");
        boolean rest;
        try {
            rest = work(path[1], path[2], request);
        } catch (Exception error) {
            throw new IOException(error);
        }
        exchange.sendResponseHeaders(200, 2);
        exchange.getResponseBody().write("ok".getBytes(StandardCharsets.US_ASCII));
        exchange.close();
        request.answered = true;
        note("{\"in\": " + request.number + ", " + ends(LISTEN, text(exchange.getRemoteAddress()), request.start));
        if (rest) workers.submit(() -> call("item", path[2], request));
    }

    private static void background() {
        try {
            while (true) {
                Thread.sleep((long) (-Math.log(ThreadLocalRandom.current().nextDouble()) * BACKGROUND_MS));
                call("background", "item", null);
            }
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private static ExecutorService executor(String kind) throws ReflectiveOperationException {
        // By reflection: this file compiles on a JDK without virtual threads too.
        if (kind.equals("virtual")) return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        return Executors.newFixedThreadPool(Integer.parseInt(System.getenv("CAUSALITY_THREADS")));
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(System.getenv("CAUSALITY_TRUTH"), ProcessHandle.current().pid() + ".jsonl");
        truth = new PrintWriter(Files.newBufferedWriter(file));
        workers = executor(arguments[0]);
        Thread job = new Thread(Server::background);
        job.setDaemon(true);
        job.start();
        HttpServer server = HttpServer.create(address(LISTEN), 4096);
        server.createContext("/", Server::answer);
        server.setExecutor(executor(arguments[0]));
        server.start();
    }
}
