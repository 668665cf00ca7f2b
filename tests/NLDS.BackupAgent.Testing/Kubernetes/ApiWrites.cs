using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>Create, replace, patch, apply and delete, for good or as a dry run.</summary>
internal sealed class ApiWrites(ApiObjects objects, ApiRules rules, ApiAccess access, ApiDiscovery discovery, ApiReads reads, ApiControllers controllers, TimeProvider clock)
{
    private string Now => clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public (int Code, JsonObject Answer) Create(ApiRequest request)
    {
        var (kind, value) = (request.Kind, Decode(request));
        var metadata = value["metadata"]!.AsObject();
        if (metadata["resourceVersion"]?.GetValue<string>() is { Length: > 0 })
        {
            throw new ApiStatus(500, null, "resourceVersion should not be set on objects to be created");
        }

        Validate(request, value);
        if (metadata["name"] is null && metadata["generateName"]?.GetValue<string>() is { } generate)
        {
            metadata["name"] = generate + Guid.NewGuid().ToString("N")[..5];
        }

        var name = metadata["name"]?.GetValue<string>() ?? throw ApiStatus.Invalid(kind, "", ("FieldValueRequired", "Required value: name or generateName is required", "metadata.name"));
        RequireNamespace(request, name);
        RequireGrant(request, value, name);
        if (objects.Get(kind.Storage, request.Namespace, name) is not null)
        {
            throw ApiStatus.Exists(kind, name);
        }

        Begin(request, value);
        ApiFields.Take(kind, null, value, request.Manager, null, Now);
        return (201, Finish(request, value, isNew: true));
    }

    public (int Code, JsonObject Answer) Replace(ApiRequest request)
    {
        var (kind, value) = (request.Kind, Decode(request));
        if (request.Subresource == "scale")
        {
            return SetScale(request, value["spec"]!["replicas"]!.GetValue<int>());
        }

        Validate(request, value);
        var live = reads.Require(request);
        var revision = value["metadata"]!["resourceVersion"]?.GetValue<string>();
        if (revision is null && kind.IsCustom)
        {
            throw Unversioned(request);
        }

        RequireRevision(request, live, revision);
        if (value["metadata"]!["uid"]?.GetValue<string>() is { } uid && uid != Uid(live))
        {
            throw ApiStatus.Conflict(kind, request.Name!, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {Uid(live)}");
        }

        RequireGrant(request, value, request.Name!);
        var next = request.Subresource == "status" ? WithStatus(live, value) : Continue(request, live, value);
        ApiFields.Take(kind, live, next, request.Manager, request.Subresource, Now);
        return (200, Update(request, live, next));
    }

    public (int Code, JsonObject Answer) Patch(ApiRequest request)
    {
        var type = request.Context.Request.ContentType?.Split(';')[0];
        if (type == "application/apply-patch+yaml")
        {
            return Apply(request);
        }

        if (type is not ("application/merge-patch+json" or "application/strategic-merge-patch+json"))
        {
            throw new ApiStatus(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
        }

        var live = reads.Require(request);
        var patch = Parse(request);
        if (request.Subresource == "scale")
        {
            return SetScale(request, patch["spec"]!["replicas"]!.GetValue<int>());
        }

        RequireRevision(request, live, patch["metadata"]?["resourceVersion"]?.GetValue<string>());
        var patched = live.DeepClone().AsObject();
        MergePatch(patched, patch);
        var next = request.Subresource == "status" ? WithStatus(live, patched) : Continue(request, live, patched);
        ApiFields.Take(request.Kind, live, next, request.Manager, request.Subresource, Now);
        return (200, Update(request, live, next));
    }

    public (int Code, JsonObject Answer) Delete(ApiRequest request)
    {
        var live = reads.Require(request);
        var options = request.Body.Length > 0 ? Parse(request) : [];
        if (options["preconditions"]?["uid"]?.GetValue<string>() is { } uid && uid != Uid(live))
        {
            var conflict = ApiStatus.Of(request.Kind, request.Name);
            conflict["kind"] = request.Kind.Kind;
            throw new ApiStatus(
                409,
                "Conflict",
                $"Operation cannot be fulfilled on {request.Kind.Kind} \"{request.Name}\": the UID in the precondition ({uid}) does not match the UID in record ({Uid(live)}). The object might have been deleted and then recreated",
                conflict);
        }

        if (live["metadata"]!["finalizers"] is JsonArray { Count: > 0 } || request.Kind.Qualified == "namespaces")
        {
            live["metadata"]!["deletionTimestamp"] ??= Now;
            live["metadata"]!["deletionGracePeriodSeconds"] ??= 0;
            if (request.Kind.IsCustom)
            {
                live["metadata"]!["generation"] = (live["metadata"]!["generation"]?.GetValue<long>() ?? 0) + 1;
            }

            if (!request.IsDryRun)
            {
                live = objects.Put(request.Kind.Storage, live);
                controllers.Deleting(request.Kind, live);
            }

            return (200, ApiReads.As(request.Kind, live));
        }

        if (!request.IsDryRun && request.Kind.Qualified == "pods" && controllers.Kubelet.Runs(live))
        {
            controllers.Terminate(live);
            return (200, ApiReads.As(request.Kind, objects.Get("pods", request.Namespace, request.Name!)!));
        }

        if (!request.IsDryRun)
        {
            Remove(request.Kind, live, orphans: request.Query("propagationPolicy") == "Orphan" || options["propagationPolicy"]?.GetValue<string>() == "Orphan");
        }

        var details = ApiStatus.Of(request.Kind, request.Name);
        details["uid"] = Uid(live);
        return (200, new JsonObject
        {
            ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["details"] = details,
        });
    }

    public void Remove(ApiKind kind, JsonObject live, bool orphans = false)
    {
        objects.Delete(kind.Storage, live);
        if (kind.Qualified == "customresourcedefinitions.apiextensions.k8s.io")
        {
            discovery.StopServing(live);
        }

        if (!orphans)
        {
            controllers.CollectGarbage(Uid(live));
        }

        controllers.Removed(live);
    }

    private (int Code, JsonObject Answer) Apply(ApiRequest request)
    {
        var kind = request.Kind;
        if (request.Query("fieldManager") is not { Length: > 0 } manager)
        {
            throw new ApiStatus(422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch", new JsonObject
            {
                ["group"] = "meta.k8s.io",
                ["kind"] = "PatchOptions",
                ["causes"] = ApiStatus.Causes([("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")]),
            });
        }

        var applied = Parse(request);
        Validate(request, applied);
        var metadata = applied["metadata"]!.AsObject();
        if (metadata["managedFields"] is not null)
        {
            throw ApiStatus.BadRequest("metadata.managedFields must be nil");
        }

        var (uid, revision) = (metadata["uid"]?.GetValue<string>(), metadata["resourceVersion"]?.GetValue<string>());
        var live = objects.Get(kind.Storage, request.Namespace, request.Name!)?.DeepClone().AsObject();
        if (live is null)
        {
            if (request.Subresource is not null)
            {
                throw ApiStatus.NotFound(kind, request.Name!);
            }

            if (uid is not null)
            {
                throw ApiStatus.Conflict(kind, request.Name!, $"uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            }

            RequireNamespace(request, request.Name!);
            RequireGrant(request, applied, request.Name!);
            var created = ApiFields.Apply(kind, null, applied, manager, force: false, null, Now);
            Begin(request, created);
            var answer = Finish(request, created, isNew: true);
            if (request.IsDryRun && revision is not null)
            {
                answer["metadata"]!["resourceVersion"] = revision;
            }

            return (201, answer);
        }

        if (uid is not null && uid != Uid(live))
        {
            var cause = ("FieldValueInvalid", $"Invalid value: \"{uid}\": field is immutable", "metadata.uid");
            throw ApiStatus.Invalid(kind, request.Name!, cause, cause);
        }

        RequireRevision(request, live, revision);
        RequireGrant(request, applied, request.Name!);
        metadata.Remove("resourceVersion");
        metadata.Remove("uid");
        var next = ApiFields.Apply(kind, live, applied, manager, request.Query("force") == "true", request.Subresource, Now);
        return (200, Update(request, live, request.Subresource == "status" ? WithStatus(live, next) : Continue(request, live, next)));
    }

    private (int Code, JsonObject Answer) SetScale(ApiRequest request, int replicas)
    {
        var live = reads.Require(request);
        var next = live.DeepClone().AsObject();
        next["spec"]!["replicas"] = replicas;
        var whole = request with { Subresource = null };
        ApiFields.Take(request.Kind, live, next, request.Manager, "scale", Now);
        return (200, ApiReads.Scale(Update(whole, live, next)));
    }

    private JsonObject Update(ApiRequest request, JsonObject live, JsonObject next)
    {
        if (JsonNode.DeepEquals(Without(live), Without(next)))
        {
            return ApiReads.As(request.Kind, live);
        }

        rules.CheckUpdate(request.Kind, live, next);
        if (ApiRules.HasGeneration(request.Kind) && request.Subresource is null && !JsonNode.DeepEquals(live["spec"], next["spec"]))
        {
            next["metadata"]!["generation"] = (live["metadata"]!["generation"]?.GetValue<long>() ?? 0) + 1;
        }

        return Finish(request, next, isNew: false);
    }

    private JsonObject Finish(ApiRequest request, JsonObject value, bool isNew)
    {
        if (request.IsDryRun)
        {
            return ApiReads.As(request.Kind, value);
        }

        var metadata = value["metadata"]!;
        if (!isNew && metadata["deletionTimestamp"] is not null && metadata["finalizers"] is not JsonArray { Count: > 0 } && request.Kind.Qualified != "namespaces")
        {
            Remove(request.Kind, value);
            return ApiReads.As(request.Kind, value);
        }

        var stored = objects.Put(request.Kind.Storage, value);
        if (request.Kind.Qualified == "customresourcedefinitions.apiextensions.k8s.io")
        {
            discovery.Serve(stored);
        }

        controllers.Stored(request.Kind, stored, isNew);
        return ApiReads.As(request.Kind, objects.Get(request.Kind.Storage, request.Namespace, metadata["name"]!.GetValue<string>()) ?? stored);
    }

    /// <summary>What the server gives to an object that comes into being.</summary>
    private void Begin(ApiRequest request, JsonObject value)
    {
        var kind = request.Kind;
        var metadata = value["metadata"]!.AsObject();
        foreach (var field in new[] { "resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation" })
        {
            metadata.Remove(field);
        }

        if (request.Namespace is not null && kind.IsNamespaced)
        {
            metadata["namespace"] = request.Namespace;
        }

        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = Now;
        if (ApiRules.HasGeneration(kind))
        {
            metadata["generation"] = 1;
        }

        if (kind.HasSubresource("status"))
        {
            value.Remove("status");
        }

        rules.Complete(kind, value, null);
        rules.CheckCreate(kind, request.Namespace, value);
    }

    /// <summary>What of a new state counts: identity stays, and the status where it has a door of its own.</summary>
    private JsonObject Continue(ApiRequest request, JsonObject live, JsonObject value)
    {
        var next = ApiReads.As(request.Kind, value);
        foreach (var field in new[] { "uid", "creationTimestamp", "generation", "deletionTimestamp", "namespace", "resourceVersion" })
        {
            next["metadata"]!.AsObject().Remove(field);
            if (live["metadata"]![field] is { } kept)
            {
                next["metadata"]![field] = kept.DeepClone();
            }
        }

        if (request.Kind.HasSubresource("status"))
        {
            next.Remove("status");
            if (live["status"] is { } status)
            {
                next["status"] = status.DeepClone();
            }
        }

        rules.Complete(request.Kind, next, live);
        return next;
    }

    private static JsonObject WithStatus(JsonObject live, JsonObject value)
    {
        var next = live.DeepClone().AsObject();
        next["status"] = value["status"]?.DeepClone();
        if (value["metadata"]!["managedFields"] is { } fields)
        {
            next["metadata"]!["managedFields"] = fields.DeepClone();
        }

        return next;
    }

    private static JsonObject Decode(ApiRequest request)
    {
        if (request.Context.Request.ContentType?.Split(';')[0] is not ("application/json" or "application/yaml"))
        {
            throw new ApiStatus(
                415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
        }

        return Parse(request);
    }

    private static JsonObject Parse(ApiRequest request)
    {
        try
        {
            return JsonNode.Parse(request.Body)!.AsObject();
        }
        catch (JsonException)
        {
            throw ApiStatus.BadRequest($"the object provided is unrecognized (must be of type {request.Kind.Kind}): couldn't get version/kind; json parse error: unexpected end of JSON input ({request.Body})");
        }
    }

    private static void Validate(ApiRequest request, JsonObject value)
    {
        if (value["metadata"] is not JsonObject)
        {
            value["metadata"] = new JsonObject();
        }

        if (value["metadata"]!["namespace"]?.GetValue<string>() is { } ns && request.Namespace is not null && ns != request.Namespace)
        {
            throw ApiStatus.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }

        var unknown = ApiRules.Unknown(request.Kind, value);
        var words = string.Join(", ", unknown.Select(u => $"unknown field \"{u}\""));
        if (unknown.Count > 0 && request.Query("fieldValidation") == "Strict")
        {
            throw ApiStatus.BadRequest($"{request.Kind.Kind} in version \"{request.Kind.Version}\" cannot be handled as a {request.Kind.Kind}: strict decoding error: {words}");
        }

        foreach (var field in unknown)
        {
            value.Remove(field);
            if (request.Query("fieldValidation") != "Ignore")
            {
                request.Context.Response.Headers.Append("Warning", $"299 - \"unknown field \\\"{field}\\\"\"");
            }
        }
    }

    private void RequireNamespace(ApiRequest request, string name)
    {
        if (!request.Kind.IsNamespaced)
        {
            return;
        }

        var place = objects.Get("namespaces", null, request.Namespace!)
            ?? throw ApiStatus.NotFound(discovery.Find("", "v1", "namespaces")!, request.Namespace!);
        if (place["metadata"]!["deletionTimestamp"] is not null)
        {
            throw ApiStatus.Forbidden(
                request.Kind,
                name,
                $"unable to create new content in namespace {request.Namespace} because it is being terminated",
                ApiStatus.Causes([("NamespaceTerminating", $"namespace {request.Namespace} is being terminated", "metadata.namespace")]));
        }
    }

    private void RequireGrant(ApiRequest request, JsonObject value, string name)
    {
        if (access.RefuseEscalation(request.User, request.Kind, value, request.Namespace) is { } refusal)
        {
            throw ApiStatus.Forbidden(request.Kind, name, refusal);
        }
    }

    private static void RequireRevision(ApiRequest request, JsonObject live, string? revision)
    {
        if (revision is not null && revision != live["metadata"]!["resourceVersion"]!.GetValue<string>())
        {
            throw ApiStatus.Conflict(request.Kind, request.Name!, "the object has been modified; please apply your changes to the latest version and try again");
        }
    }

    private static ApiStatus Unversioned(ApiRequest request)
    {
        var details = ApiStatus.Of(request.Kind, request.Name);
        details["causes"] = ApiStatus.Causes([("FieldValueInvalid", "Invalid value: 0x0: must be specified for an update", "metadata.resourceVersion")]);
        return new ApiStatus(
            422, "Invalid", $"{request.Kind.Qualified} \"{request.Name}\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update", details);
    }

    private static void MergePatch(JsonObject target, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null)
            {
                target.Remove(name);
            }
            else if (value is JsonObject map && target[name] is JsonObject into)
            {
                MergePatch(into, map);
            }
            else
            {
                target[name] = value.DeepClone();
            }
        }
    }

    private static string Uid(JsonObject value) => value["metadata"]!["uid"]!.GetValue<string>();

    private static JsonObject Without(JsonObject value)
    {
        var copy = value.DeepClone().AsObject();
        foreach (var field in new[] { "kind", "apiVersion" })
        {
            copy.Remove(field);
        }

        copy["metadata"]!.AsObject().Remove("managedFields");
        return copy;
    }
}
