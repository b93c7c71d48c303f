/* SPDX-License-Identifier: Apache-2.0
 *
 * The tab of an image's details that says what the policy thinks of it, and
 * what to change, before anybody boots it.
 */
(function (global) {
  'use strict';

  angular
    .module('horizon.app.nova_vhard')
    .controller('NovaVhardImageController', ImageController)
    .run(addTab);

  addTab.$inject = ['$window', 'horizon.app.core.images.resourceType',
    'horizon.framework.conf.resource-type-registry.service'];

  function addTab($window, resourceType, registry) {
    registry.getResourceType(resourceType).detailsViews.append({
      id: 'novaVhardImage',
      name: gettext('Hardening policy'),
      template: $window.STATIC_URL + 'vhard/image.html'
    });
  }

  ImageController.$inject = [
    '$element', '$scope', 'horizon.framework.util.http.service'];

  function ImageController($element, $scope, api) {
    $scope.context.loadPromise.then(function (image) {
      return api.get('/api/nova_vhard/images/' + image.data.id + '/');
    }).then(function (answer) {
      tell(answer.data);
    }, function () {
      note('warning', gettext('The policy cannot be asked at the moment.'));
    });

    function tell(verdict) {
      if (!verdict.known) {
        note('warning', gettext('The policy is not known to the dashboard.'));
      } else if (!verdict.refusals && !verdict.warnings) {
        note('success', gettext('Nothing in this image is refused.'));
      }
      part('danger', verdict.refusals,
        gettext('A server of this image is refused.'));
      part('warning', verdict.warnings,
        gettext('A server of this image is let pass with a warning.'));
    }

    function note(kind, text) {
      box(kind, [document.createTextNode(text)]);
    }

    function part(kind, refusal, title) {
      if (refusal) {
        box(kind, global.novaVhard.told(refusal, title));
      }
    }

    function box(kind, content) {
      var made = document.createElement('div');
      made.className = 'alert word-wrap alert-' + kind;
      content.forEach(function (node) { made.appendChild(node); });
      $element[0].appendChild(made);
    }
  }
})(window);
