using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>One request that the double answered.</summary>
public sealed record ApiCall(string Method, string Path, string User, int Status);

/// <summary>An answer that a test puts in the real one's place.</summary>
/// <param name="Status">0 breaks the connection off.</param>
public sealed record ApiFault(int Status, string Reason = "", string Message = "", int? RetryAfter = null, string? Body = null);

/// <summary>
/// A Kubernetes API server in this process, as a real one was recorded: discovery in both forms, lists in pages that expire, RBAC, the refusals of validation and
/// admission, server-side apply with its conflicts, dry runs, watches. A conformance test holds it against every recorded answer.
/// </summary>
public sealed class ApiServerDouble : IAsyncDisposable
{
    /// <summary>May do everything.</summary>
    public const string Admin = "admin-token";

    private static readonly string[] Types = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

    private readonly ApiObjects objects = new();
    private readonly ApiDiscovery discovery;
    private readonly ApiAccess access;
    private readonly ApiRules rules;
    private readonly ApiReads reads;
    private readonly ApiWrites writes;
    private readonly ApiControllers controllers;
    private readonly ConcurrentDictionary<string, ApiUser> users = new();
    private readonly ConcurrentQueue<ApiCall> calls = new();
    private WebApplication? application;

    private ApiServerDouble(TimeProvider clock)
    {
        discovery = new ApiDiscovery(Fixture("api.json").AsObject(), Fixture("apis.json").AsObject());
        access = new ApiAccess(objects);
        rules = new ApiRules(objects);
        reads = new ApiReads(objects);
        controllers = new ApiControllers(objects, discovery, clock);
        writes = new ApiWrites(objects, rules, access, discovery, reads, controllers, clock);
        AddUser(Admin, new ApiUser("admin", null, ["system:masters", "system:authenticated"]));
    }

    public Uri Url { get; private set; } = null!;

    /// <summary>What was asked so far, oldest first.</summary>
    public IReadOnlyList<ApiCall> Calls => [.. calls];

    /// <summary>Asked before every request: an answer in place of the real one, or null.</summary>
    public Func<HttpRequest, ApiFault?> Fault { get; set; } = _ => null;

    /// <summary>Whether discovery is served in the aggregated form; servers before 1.26 do not.</summary>
    public bool AggregatesDiscovery { get; set; } = true;

    /// <summary>What a pod has written, by namespace and name: <c>nlds/postgres-0</c>.</summary>
    public ConcurrentDictionary<string, string> Logs { get; } = new();

    public bool RunsWorkloads { get => controllers.RunsWorkloads; set => controllers.RunsWorkloads = value; }

    /// <summary>Gives the pods of a stateful set something to do; needs <see cref="RunsWorkloads"/>.</summary>
    public void Run(string ns, string statefulSet, IPodRunner runner) => controllers.Kubelet.Run($"{ns}/{statefulSet}", runner);

    /// <summary>Does for all workloads of a namespace what their controllers do, as after a start of the controllers.</summary>
    public void Reconcile(string ns)
    {
        lock (objects.Gate)
        {
            foreach (var resource in (string[])["statefulsets", "deployments"])
            {
                foreach (var (_, workload) in objects.List($"{resource}.apps", ns).ToList())
                {
                    controllers.Stored(discovery.Find("apps", "v1", resource)!, workload, isNew: false);
                }
            }
        }
    }

    public bool HoldsNamespaces { get => controllers.HoldsNamespaces; set => controllers.HoldsNamespaces = value; }

    public bool HoldsDefinitions { get => controllers.HoldsDefinitions; set => controllers.HoldsDefinitions = value; }

    public long Revision
    {
        get => objects.Revision;
        set => objects.Revision = value;
    }

    /// <summary>A watch cannot begin before this revision.</summary>
    public long WatchableFrom { get => objects.WatchableFrom; set => objects.WatchableFrom = value; }

    /// <param name="tls">Serves TLS, and takes client certificates, whose common name is the user.</param>
    public static async Task<ApiServerDouble> StartAsync(TimeProvider? clock = null, X509Certificate2? tls = null)
    {
        var server = new ApiServerDouble(clock ?? TimeProvider.System);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 64 << 20;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (tls is not null)
                {
                    listen.UseHttps(https =>
                    {
                        https.ServerCertificate = tls;
                        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                        https.AllowAnyClientCertificate();
                    });
                }
            });
        });
        server.application = builder.Build();
        server.application.Run(server.AnswerAsync);
        await server.application.StartAsync();
        server.Url = new Uri(server.application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return server;
    }

    /// <summary>Puts the recorded namespace <c>nlds</c> and what of the cluster it uses there, with its custom resources.</summary>
    public void LoadRecordedNamespace() => Seed(Fixture("objects.json").AsArray().Select(o => o!.AsObject()));

    /// <summary>Puts objects there as they are.</summary>
    public void Seed(IEnumerable<JsonObject> values)
    {
        lock (objects.Gate)
        {
            foreach (var value in values)
            {
                var (group, version) = value["apiVersion"]!.GetValue<string>().Split('/') is [var g, var v] ? (g, v) : ("", value["apiVersion"]!.GetValue<string>());
                var kind = discovery.All().FirstOrDefault(k => k.Group == group && k.Version == version && k.Kind == value["kind"]!.GetValue<string>())
                    ?? throw new ArgumentException($"No kind is known for {value["apiVersion"]} {value["kind"]}.");
                objects.Seed(kind.Storage, value.DeepClone().AsObject());
                if (kind.Kind == "CustomResourceDefinition")
                {
                    discovery.Serve(value);
                }
            }
        }
    }

    /// <summary>Puts an object there as new, for a watch to tell of.</summary>
    /// <param name="resource">With its group: <c>configmaps</c>.</param>
    public void Add(string resource, JsonObject value)
    {
        lock (objects.Gate)
        {
            objects.Put(resource, value);
        }
    }

    public void AddUser(string token, ApiUser user) => users[token] = user;

    /// <param name="resource">With its group: <c>deployments.apps</c>.</param>
    public JsonObject? Find(string resource, string? ns, string name)
    {
        lock (objects.Gate)
        {
            return objects.Get(resource, ns, name)?.DeepClone().AsObject();
        }
    }

    public IReadOnlyList<JsonObject> List(string resource, string? ns = null)
    {
        lock (objects.Gate)
        {
            return [.. objects.List(resource, ns).Select(o => o.Value.DeepClone().AsObject())];
        }
    }

    /// <summary>All kinds that hold something in a namespace, or of the cluster with null.</summary>
    public IReadOnlyList<string> Resources(string? ns)
    {
        lock (objects.Gate)
        {
            return [.. objects.Storages.Where(s => objects.List(s, ns).Any(o => ns is not null || !o.Key.Contains('/', StringComparison.Ordinal))).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Changes an object past every rule, as an operator or another user would: what it sets is its own from then on.</summary>
    public void Change(string resource, string? ns, string name, Action<JsonObject> change)
    {
        lock (objects.Gate)
        {
            var live = objects.Get(resource, ns, name)!;
            var value = live.DeepClone().AsObject();
            change(value);
            ApiFields.Take(discovery.All().First(k => k.Qualified == resource), live, value, "somebody", null, "2026-11-22T07:38:41Z");
            objects.Put(resource, value);
        }
    }

    public void Remove(string resource, string? ns, string name)
    {
        lock (objects.Gate)
        {
            objects.Delete(resource, objects.Get(resource, ns, name)!);
        }
    }

    /// <summary>Takes a namespace away with all that is in it, at once and whatever holds it.</summary>
    public void Wipe(string ns)
    {
        lock (objects.Gate)
        {
            foreach (var storage in objects.Storages.ToList())
            {
                foreach (var (_, value) in objects.List(storage, ns).ToList())
                {
                    objects.Delete(storage, value);
                }
            }

            if (objects.Get("namespaces", null, ns) is { } gone)
            {
                objects.Delete("namespaces", gone);
            }
        }
    }

    /// <summary>As etcd does every few minutes: no list continues from before now.</summary>
    public void Compact()
    {
        lock (objects.Gate)
        {
            objects.Revision++;
            objects.Compacted = objects.Revision;
        }
    }

    public void CollectGarbage()
    {
        lock (objects.Gate)
        {
            controllers.CollectGarbage();
        }
    }

    /// <summary>Says of all definitions of custom resources that they are established.</summary>
    public void Establish()
    {
        lock (objects.Gate)
        {
            controllers.Establish();
        }
    }

    /// <summary>The group's own API server stops, or begins again, to answer.</summary>
    public void MakeStale(string group, bool isStale = true) => _ = isStale ? discovery.Stale.Add(group) : discovery.Stale.Remove(group);

    /// <summary>A kubeconfig that leads here.</summary>
    public string WriteKubeconfig(string path, string token = Admin, string? ns = null)
    {
        File.WriteAllText(path, $$"""
            apiVersion: v1
            kind: Config
            current-context: here
            clusters:
            - name: double
              cluster: {server: {{Url}}}
            users:
            - name: user
              user: {token: {{token}}}
            contexts:
            - name: here
              context: {cluster: double, user: user{{(ns is null ? "" : $", namespace: {ns}")}}}
            """);
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        await controllers.DisposeAsync();
        if (application is not null)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await application.StopAsync(limit.Token);
            await application.DisposeAsync();
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var user = "unknown";
        try
        {
            if (Fault(context.Request) is { } fault)
            {
                await AnswerAsync(context, fault);
                return;
            }

            var who = Authenticate(context);
            user = who.Name;
            await AnswerAsync(context, who);
        }
        catch (ApiStatus refusal)
        {
            if (refusal.RetryAfter is { } seconds)
            {
                context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            }

            await WriteAsync(context, refusal.Code, refusal.ToDocument());
        }
        finally
        {
            calls.Enqueue(new ApiCall(context.Request.Method, context.Request.Path + context.Request.QueryString, user, context.Response.StatusCode));
        }
    }

    private static async Task AnswerAsync(HttpContext context, ApiFault fault)
    {
        if (fault.Status == 0)
        {
            context.Abort();
            return;
        }

        if (fault.RetryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (fault.Body is not null)
        {
            context.Response.StatusCode = fault.Status;
            await context.Response.WriteAsync(fault.Body);
            return;
        }

        await WriteAsync(context, fault.Status, new ApiStatus(fault.Status, fault.Reason, fault.Message).ToDocument());
    }

    private ApiUser Authenticate(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.Length == 0)
        {
            return context.Connection.ClientCertificate is { } certificate
                ? new ApiUser(certificate.GetNameInfo(X509NameType.SimpleName, false), null, ["system:masters", "system:authenticated"])
                : ApiUser.Anonymous;
        }

        return header.StartsWith("Bearer ", StringComparison.Ordinal) && users.TryGetValue(header[7..], out var user) ? user : throw ApiStatus.Unauthorized();
    }

    private async Task AnswerAsync(HttpContext context, ApiUser user)
    {
        var path = context.Request.Path.Value!;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0 || parts[0] is not ("api" or "apis") || parts.Length <= (parts[0] == "api" ? 2 : 3))
        {
            RequirePath(user, path);
            await DescribeAsync(context, path, parts);
            return;
        }

        var (group, version, rest) = parts[0] == "api" ? ("", parts[1], parts[2..]) : (parts[1], parts[2], parts[3..]);
        if (!discovery.HasVersion(group, version))
        {
            context.Response.StatusCode = 404;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync("404 page not found\n");
            return;
        }

        if (discovery.Stale.Contains(group))
        {
            await WriteAsync(context, 503, new ApiStatus(503, "ServiceUnavailable", "service unavailable").ToDocument());
            return;
        }

        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        await AnswerAsync(Understand(context, user, group, version, rest, body));
    }

    private ApiRequest Understand(HttpContext context, ApiUser user, string group, string version, string[] rest, string body)
    {
        string? ns = null;
        if (rest is ["namespaces", var place, _, ..] && !(rest.Length == 3 && rest[2] is "status" or "finalize"))
        {
            (ns, rest) = (place, rest[2..]);
        }

        var kind = discovery.Find(group, version, rest[0]) ?? throw ApiStatus.NoSuchResource();
        var request = new ApiRequest(context, user, kind, ns, rest.Length > 1 ? rest[1] : null, rest.Length > 2 ? rest[2] : null, body);
        lock (objects.Gate)
        {
            if (!access.Allows(user, request.Verb, group, request.Resource, ns, request.Name))
            {
                var where = ns is null ? "at the cluster scope" : $"in the namespace \"{ns}\"";
                var subject = request.Name is null ? kind.Qualified : $"{kind.Qualified} \"{request.Name}\"";
                throw new ApiStatus(
                    403,
                    "Forbidden",
                    $"{subject} is forbidden: User \"{user.Name}\" cannot {request.Verb} resource \"{request.Resource}\" in API group \"{group}\" {where}",
                    ApiStatus.Of(kind, request.Name));
            }
        }

        return kind.Verbs.Contains(request.Verb) || request.Subresource is not null ? request : throw ApiStatus.NotAllowed();
    }

    private async Task AnswerAsync(ApiRequest request)
    {
        var context = request.Context;
        if (Review(request) is { } review)
        {
            await WriteAsync(context, 201, review);
            return;
        }

        if (request.Subresource == "log")
        {
            lock (objects.Gate)
            {
                reads.Require(request);
            }

            context.Response.ContentType = "text/plain";
            await context.Response.WriteAsync(Logs.GetValueOrDefault($"{request.Namespace}/{request.Name}", ""));
            return;
        }

        if (request.Verb == "watch")
        {
            await WatchAsync(request);
            return;
        }

        var (form, type) = Negotiate(context.Request);
        var (code, answer) = (200, new JsonObject());
        lock (objects.Gate)
        {
            if (ApiSchema.Find(objects, request.Kind) is { } served && served["deprecationWarning"] is { } warning)
            {
                context.Response.Headers.Append("Warning", $"299 - \"{warning}\"");
            }

            (code, answer) = request.Verb switch
            {
                "create" => writes.Create(request),
                "update" => writes.Replace(request),
                "patch" => writes.Patch(request),
                "delete" => writes.Delete(request),
                "get" => (200, reads.Get(request)),
                "list" => (200, reads.List(request)),
                _ => throw ApiStatus.NotAllowed(),
            };
        }

        await WriteAsync(
            context,
            code,
            request.Verb != "list" ? answer : form switch
            {
                "Table" => ApiReads.Table(answer),
                "PartialObjectMetadataList" => ApiReads.MetadataOnly(answer),
                _ => answer,
            },
            type);
    }

    /// <summary>The reviews that are asked for by creating them, and are never stored.</summary>
    private JsonObject? Review(ApiRequest request)
    {
        if (request.Method != "POST" || !request.Kind.Plural.StartsWith("selfsubject", StringComparison.Ordinal))
        {
            return null;
        }

        var asked = JsonNode.Parse(request.Body)!.AsObject();
        var answer = new JsonObject
        {
            ["kind"] = request.Kind.Kind, ["apiVersion"] = request.Kind.GroupVersion, ["metadata"] = new JsonObject { ["creationTimestamp"] = null },
        };
        lock (objects.Gate)
        {
            switch (request.Kind.Plural)
            {
                case "selfsubjectaccessreviews":
                    var about = asked["spec"]!["resourceAttributes"]!;
                    string? Word(string name) => about[name]?.GetValue<string>();
                    answer["spec"] = asked["spec"]!.DeepClone();
                    answer["status"] = new JsonObject
                    {
                        ["allowed"] = access.Allows(request.User, Word("verb")!, Word("group") ?? "", Word("resource")!, Word("namespace") is { Length: > 0 } ns ? ns : null, Word("name")),
                    };
                    break;
                case "selfsubjectrulesreviews":
                    var (resources, paths) = access.Describe(request.User, asked["spec"]!["namespace"]!.GetValue<string>());
                    answer["spec"] = new JsonObject();
                    answer["status"] = new JsonObject { ["resourceRules"] = resources, ["nonResourceRules"] = paths, ["incomplete"] = false };
                    break;
                default:
                    var info = new JsonObject { ["username"] = request.User.Name };
                    if (request.User.Uid is not null)
                    {
                        info["uid"] = request.User.Uid;
                    }

                    info["groups"] = new JsonArray([.. request.User.Groups.Select(g => (JsonNode)g)]);
                    answer["status"] = new JsonObject { ["userInfo"] = info };
                    break;
            }
        }

        return answer;
    }

    private async Task WatchAsync(ApiRequest request)
    {
        var seconds = double.TryParse(request.Query("timeoutSeconds"), CultureInfo.InvariantCulture, out var some) ? some : 30;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(request.Context.RequestAborted);
        end.CancelAfter(TimeSpan.FromSeconds(seconds));
        request.Context.Response.ContentType = "application/json";
        var from = request.Query("resourceVersion") is { Length: > 0 } given and not "0" ? long.Parse(given, CultureInfo.InvariantCulture) : -1;
        if (from >= 0 && from < objects.WatchableFrom)
        {
            var expired = new ApiStatus(410, "Expired", $"too old resource version: {from} ({objects.WatchableFrom})");
            await TellAsync(request, "ERROR", expired.ToDocument());
            return;
        }

        if (from < 0)
        {
            IReadOnlyList<(string Key, JsonObject Value)> all;
            lock (objects.Gate)
            {
                (all, from) = (objects.List(request.Kind.Storage, request.Namespace), objects.Revision);
            }

            foreach (var (_, value) in all.Where(o => ApiReads.Matches(request, o.Value)))
            {
                await TellAsync(request, "ADDED", ApiReads.As(request.Kind, value));
            }

            if (request.Query("allowWatchBookmarks") == "true")
            {
                await TellAsync(request, "BOOKMARK", new JsonObject
                {
                    ["kind"] = request.Kind.Kind,
                    ["apiVersion"] = request.Kind.GroupVersion,
                    ["metadata"] = new JsonObject
                    {
                        ["resourceVersion"] = from.ToString(CultureInfo.InvariantCulture),
                        ["creationTimestamp"] = null,
                        ["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" },
                    },
                });
            }
        }

        var prefix = request.Namespace is null ? "" : request.Namespace + "/";
        try
        {
            while (true)
            {
                var changed = objects.ChangedAsync();
                IReadOnlyList<ApiChange> news;
                lock (objects.Gate)
                {
                    news = objects.Since(from);
                }

                foreach (var change in news)
                {
                    from = change.Revision;
                    if (change.Storage == request.Kind.Storage && change.Key.StartsWith(prefix, StringComparison.Ordinal) && ApiReads.Matches(request, change.After!))
                    {
                        await TellAsync(request, change.Type, ApiReads.As(request.Kind, change.After!));
                    }
                }

                await changed.WaitAsync(end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The watch has had its time.
        }
    }

    private static async Task TellAsync(ApiRequest request, string type, JsonObject value)
    {
        await request.Context.Response.WriteAsync(new JsonObject { ["type"] = type, ["object"] = value }.ToJsonString() + "\n");
        await request.Context.Response.Body.FlushAsync();
    }

    private async Task DescribeAsync(HttpContext context, string path, string[] parts)
    {
        switch (parts)
        {
            case ["version"]:
                await WriteAsync(context, 200, JsonNode.Parse("""
                    {"major":"1","minor":"32","gitVersion":"v1.32.13","gitCommit":"63adf010aa20e104c0b7043b47f42f50c9f72b17","gitTreeState":"clean",
                     "buildDate":"2026-11-22T00:00:00Z","goVersion":"go1.23.5","compiler":"gc","platform":"linux/amd64"}
                    """)!.AsObject());
                break;
            case ["healthz" or "livez" or "readyz"]:
                await context.Response.WriteAsync("ok");
                break;
            case ["openapi", "v3"]:
                context.Response.ContentType = "text/plain; charset=utf-8";
                await context.Response.WriteAsync(OpenApi().ToJsonString());
                break;
            case ["api" or "apis"]:
                await DiscoverAsync(context, parts[0] == "api");
                break;
            case ["api", var version] when discovery.DescribeVersion("", version) is { } core:
                await WriteAsync(context, 200, core);
                break;
            case ["apis", var group] when discovery.DescribeGroup(group) is { } described:
                await WriteAsync(context, 200, described);
                break;
            case ["apis", var group, _] when discovery.Stale.Contains(group):
                await WriteAsync(context, 503, new ApiStatus(503, "ServiceUnavailable", "service unavailable").ToDocument());
                break;
            case ["apis", var group, var version] when discovery.DescribeVersion(group, version) is { } resources:
                await WriteAsync(context, 200, resources);
                break;
            default:
                context.Response.StatusCode = 404;
                context.Response.ContentType = "text/plain; charset=utf-8";
                await context.Response.WriteAsync("404 page not found\n");
                break;
        }
    }

    private async Task DiscoverAsync(HttpContext context, bool isCore)
    {
        var wanted = context.Request.Headers.Accept.ToString().Split(',')
            .Select(a => a.Contains("as=APIGroupDiscoveryList", StringComparison.Ordinal) ? a.Contains("v=v2beta1", StringComparison.Ordinal) ? "v2beta1" : "v2" : null)
            .FirstOrDefault();
        var version = AggregatesDiscovery ? wanted : null;
        var document = discovery.Describe(isCore, version);
        if (version is null)
        {
            await WriteAsync(context, 200, document);
            return;
        }

        context.Response.Headers.Vary = "Accept";
        context.Response.Headers.CacheControl = "public";
        context.Response.Headers.ETag = ApiDiscovery.EntityTag(document);
        if (context.Request.Headers.IfNoneMatch == context.Response.Headers.ETag)
        {
            context.Response.StatusCode = 304;
            return;
        }

        await WriteAsync(context, 200, document, $"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    }

    private JsonObject OpenApi()
    {
        var paths = new JsonObject();
        foreach (var path in discovery.All().Select(k => k.Group.Length == 0 ? "api/v1" : $"apis/{k.GroupVersion}").Distinct().Order(StringComparer.Ordinal))
        {
            paths[path] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}?hash=0" };
        }

        return new JsonObject { ["paths"] = paths };
    }

    private void RequirePath(ApiUser user, string path)
    {
        lock (objects.Gate)
        {
            if (!access.AllowsPath(user, "get", path))
            {
                throw new ApiStatus(403, "Forbidden", $"forbidden: User \"{user.Name}\" cannot get path \"{path}\"", []);
            }
        }
    }

    private static (string Form, string Type) Negotiate(HttpRequest request)
    {
        foreach (var accepted in request.Headers.Accept.ToString().Split(','))
        {
            var type = accepted.Split(';')[0].Trim();
            if (type is "application/json" or "*/*" or "")
            {
                var form = accepted.Split(';').FirstOrDefault(p => p.StartsWith("as=", StringComparison.Ordinal))?[3..] ?? "";
                return (form, "application/json");
            }

            if (type == "application/yaml")
            {
                // JSON is YAML.
                return ("", type);
            }
        }

        throw new ApiStatus(406, "NotAcceptable", $"406: Not Acceptable\n\nAvailable representations: {string.Join(", ", Types)}", []);
    }

    private static async Task WriteAsync(HttpContext context, int code, JsonObject document, string type = "application/json")
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = type;
        await context.Response.WriteAsync(document.ToJsonString());
    }

    private static JsonNode Fixture(string name)
    {
        using var resource = typeof(ApiServerDouble).Assembly.GetManifestResourceStream($"NLDS.BackupAgent.Testing.Kubernetes.Fixtures.{name}")
            ?? throw new InvalidOperationException($"The fixture {name} is not in the assembly.");
        return JsonNode.Parse(resource)!;
    }
}
