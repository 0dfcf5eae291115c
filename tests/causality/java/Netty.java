import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Netty's HTTP server and client on two event loops. Calls go over connections of the loop that serves the request ("own", as
 * Reactor Netty does it), or of any loop ("shared").
 */
public final class Netty {
    private static final String LISTEN = System.getenv("CAUSALITY_LISTEN");
    private static final String BACKEND = System.getenv("CAUSALITY_BACKEND");
    private static final double BACKGROUND_MS = Double.parseDouble(System.getenv("CAUSALITY_BACKGROUND_MS"));
    private static final int LARGEST = 1 << 16;
    private static final AtomicLong REQUESTS = new AtomicLong();
    private static final EventLoopGroup LOOPS = new NioEventLoopGroup(2);
    private static final Object SHARED = new Object();
    private static final Map<Object, ConcurrentLinkedDeque<Connection>> IDLE = new ConcurrentHashMap<>();
    /** Which calls a request makes; half of them are answered from a cache, at random. */
    private static final Map<String, Integer> CALLS =
            Map.of("sync", 1, "pipelining", 1, "forget", 1, "retry", 1, "sequential", 3, "parallel", 3);

    private static PrintWriter truth;
    private static boolean own;

    private static final class Request {
        final long number = REQUESTS.incrementAndGet();
        final long start = now();
        volatile boolean answered;
    }

    /** A kept-alive connection to the backend, with one call at a time. */
    private static final class Connection extends SimpleChannelInboundHandler<FullHttpResponse> {
        Channel channel;
        CompletableFuture<Integer> waiting;

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            waiting.complete(response.status().code());
        }

        CompletableFuture<Integer> get(String path, String token) {
            waiting = new CompletableFuture<>();
            DefaultFullHttpRequest request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, path);
            request.headers().set("Host", BACKEND).set("X-Item", token);
            CompletableFuture<Integer> answer = waiting;
            channel.writeAndFlush(request);
            return answer;
        }
    }

    /** One connection of a client: its requests are answered one after the other. */
    private static final class Visit extends SimpleChannelInboundHandler<FullHttpRequest> {
        private final ArrayDeque<String> waiting = new ArrayDeque<>();
        private boolean busy;

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest incoming) {
            waiting.add(incoming.uri());
            next(context);
        }

        private void next(ChannelHandlerContext context) {
            if (busy || waiting.isEmpty()) return;
            busy = true;
            String[] path = waiting.poll().split("/");
            Request request = new Request();
            EventLoop loop = context.channel().eventLoop();
            work(path[1], path[2], request, loop).whenComplete((rest, error) -> {
                Runnable answer = () -> answer(context, request, error == null && rest, path[2]);
                if (loop.inEventLoop()) answer.run();
                else loop.execute(answer);
            });
        }

        private void answer(ChannelHandlerContext context, Request request, boolean rest, String token) {
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.copiedBuffer("ok", StandardCharsets.US_ASCII));
            response.headers().set("Content-Length", 2);
            String peer = text(context.channel().remoteAddress());
            context.writeAndFlush(response).addListener(written -> {
                request.answered = true;
                note("{\"in\": " + request.number + ", " + ends(LISTEN, peer, request.start));
                if (rest) call("item", token, request, context.channel().eventLoop());
                busy = false;
                next(context);
            });
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

    private static String text(Object socketAddress) {
        InetSocketAddress address = (InetSocketAddress) socketAddress;
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    private static CompletableFuture<Connection> connection(EventLoop loop, ConcurrentLinkedDeque<Connection> idle) {
        Connection pooled = idle.pollFirst();
        if (pooled != null) return CompletableFuture.completedFuture(pooled);
        CompletableFuture<Connection> opened = new CompletableFuture<>();
        Connection connection = new Connection();
        Bootstrap bootstrap = new Bootstrap();
        bootstrap.group(own ? loop : LOOPS).channel(NioSocketChannel.class).handler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(LARGEST), connection);
            }
        });
        bootstrap.connect(address(BACKEND)).addListener((ChannelFuture connected) -> {
            connection.channel = connected.channel();
            if (connected.isSuccess()) opened.complete(connection);
            else opened.completeExceptionally(connected.cause());
        });
        return opened;
    }

    /** Gives the status. */
    private static CompletableFuture<Integer> call(String kind, String token, Request request, EventLoop loop) {
        ConcurrentLinkedDeque<Connection> idle = IDLE.computeIfAbsent(own ? loop : SHARED, key -> new ConcurrentLinkedDeque<>());
        long start = now();
        boolean after = request != null && request.answered;
        return connection(loop, idle).thenCompose(connection ->
                connection.get("/" + kind + "/" + token, token).thenApply(status -> {
                    String cause = request == null ? "null" : Long.toString(request.number);
                    String local = text(connection.channel.localAddress());
                    note("{\"cause\": " + cause + ", \"after\": " + after + ", " + ends(local, BACKEND, start));
                    idle.addFirst(connection);
                    return status;
                }));
    }

    private static CompletableFuture<Boolean> sequence(String kind, String token, Request request, EventLoop loop, int left) {
        if (left == 0) return CompletableFuture.completedFuture(false);
        return call(kind, token, request, loop).thenCompose(status -> {
            boolean done = kind.equals("flaky") && status == 200;
            return done ? CompletableFuture.completedFuture(false) : sequence(kind, token, request, loop, left - 1);
        });
    }

    /** Gives whether a call is left to make once the request is answered. */
    private static CompletableFuture<Boolean> work(String pattern, String token, Request request, EventLoop loop) {
        int count = 0;
        for (int at = 0; at < CALLS.get(pattern); at++) count += ThreadLocalRandom.current().nextInt(2);
        if (pattern.equals("forget")) return CompletableFuture.completedFuture(count > 0);
        if (pattern.equals("retry")) return sequence("flaky", token, request, loop, 3 * count);
        if (!pattern.equals("parallel")) return sequence("item", token, request, loop, count);
        List<CompletableFuture<Integer>> calls = new ArrayList<>();
        for (int at = 0; at < count; at++) calls.add(call("item", token, request, loop));
        return CompletableFuture.allOf(calls.toArray(new CompletableFuture[0])).thenApply(all -> false);
    }

    private static void background(EventLoop loop) {
        long gap = (long) (-Math.log(ThreadLocalRandom.current().nextDouble()) * BACKGROUND_MS * 1e6);
        loop.schedule(
                () -> call("background", "item", null, loop).whenComplete((status, error) -> background(loop)),
                gap,
                TimeUnit.NANOSECONDS);
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(System.getenv("CAUSALITY_TRUTH"), ProcessHandle.current().pid() + ".jsonl");
        truth = new PrintWriter(Files.newBufferedWriter(file));
        own = arguments[0].equals("own");
        background(LOOPS.next());
        ServerBootstrap server = new ServerBootstrap();
        server.group(new NioEventLoopGroup(1), LOOPS).channel(NioServerSocketChannel.class);
        server.option(ChannelOption.SO_BACKLOG, 4096).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(LARGEST), new Visit());
            }
        });
        server.bind(address(LISTEN)).sync();
    }
}
